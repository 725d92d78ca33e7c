"""A second folder that holds a run's finished files, each proven to be the same.

    <backup>/<run>/…            as in the run
    <backup>/<run>/backup.json  size and digest of every file, as it was proven

What a policy has let go of in the run stays in the backup: a part that was thinned does not
replace the whole one. What only became another file goes: segments once their part is here, JSON
files once their zip is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from trackway import files
from trackway.errors import BackupError, FormatError
from trackway.storage.file_names import is_reduced, reductions
from trackway.storage.packs import KINDS, packed_twice
from trackway.storage.places import attempts

_LIST: Final = "backup.json"
_FORMAT: Final = "trackway-backup"
_TOLD: Final = {"size": int, "mtime_ns": int, "blake2b": str}
_BLOCK_BYTES: Final = 1 << 20
# Of a process that lives, or not finished.
_PASSING: Final = frozenset(
    {"lock", "writer.lock", "archive.lock", "training.lock", "ring.json", "ring"}
)


@dataclass(frozen=True)
class Copied:
    """What one round of copying did."""

    files: int
    size_bytes: int


class Backup:
    """The copy of one run in a backup folder."""

    def __init__(self, run: Path, backup: Path) -> None:
        """Look at what is there.

        Raises:
            BackupError: The backup lies in the run, or its list is damaged.
        """
        self.run, self.path = run.resolve(), backup.resolve() / run.resolve().name
        if self.path.is_relative_to(self.run):
            raise BackupError(f"{backup} lies within {run}: give a folder elsewhere")
        self._known = _read_list(self.path)

    def copy(self, *, prove: bool = False) -> Copied:
        """Copy every finished file that is not there yet, and prove each by reading it back.

        Args:
            prove: Read copies of earlier rounds again as well; what is damaged is copied anew.

        Raises:
            OSError: A disk refused; what was copied before is proven and listed.
            BackupError: What was read back is not what was written, or a file is damaged in both places.
        """
        count = size = 0
        try:
            for path in finished(self.run):
                name = path.relative_to(self.run).as_posix()
                try:
                    told = path.stat()
                    if self._is_there(name, told, prove):
                        continue
                    digest = _copy(path, self.path / name)
                except FileNotFoundError:
                    if path.exists():
                        raise  # it is the backup that cannot be found
                    continue  # it was replaced by another one meanwhile
                self._known[name] = {
                    "size": told.st_size,
                    "mtime_ns": told.st_mtime_ns,
                    "blake2b": digest,
                }
                count, size = count + 1, size + told.st_size
        finally:
            if count:
                _write_list(self.path, self._known)
        if count:
            self._let_go()
        return Copied(count, size)

    def _is_there(self, name: str, told: os.stat_result, prove: bool) -> bool:
        seen = self._known.get(name)
        if seen is None or (seen["size"], seen["mtime_ns"]) != (told.st_size, told.st_mtime_ns):
            return False
        try:
            copy = self.path / name
            if copy.stat().st_size == seen["size"] and not prove:
                return True
            if _digest(copy) == seen["blake2b"]:
                return True
        except OSError:
            pass  # it is gone, or cannot be read
        if _digest(self.run / name) != seen["blake2b"]:
            raise BackupError(
                f"{self.run / name} is not what it was when it was copied, and its copy in "
                f"{self.path} is damaged: trackway verify tells what is left of it"
            )
        return False

    def _let_go(self) -> None:
        """Take away copies whose content stands in another one."""
        twice = [
            file.path
            for attempt in attempts(self.path)
            for stream in attempt.streams()
            for file in stream.contents().superseded
        ]
        for kind in KINDS:
            with contextlib.suppress(FormatError):  # of a zip that is damaged in the run itself
                twice += packed_twice(self.path / "realtime_data" / kind)
        # Only what is not in the run any more: else the next round would copy it again.
        gone = [path for path in twice if not (self.run / path.relative_to(self.path)).exists()]
        if not gone:
            return
        for path in gone:
            self._known.pop(path.relative_to(self.path).as_posix(), None)
        _write_list(self.path, self._known)  # first: what it names has to be there
        for path in gone:
            files.remove(path)

    def holds(self, path: Path) -> bool:
        """Whether the backup's copy of a file of the run is, byte for byte, that file now."""
        name = path.resolve().relative_to(self.run).as_posix()
        seen = self._known.get(name)
        try:
            return (
                seen is not None
                and _digest(self.path / name) == seen["blake2b"]
                and _digest(path) == seen["blake2b"]
            )
        except OSError:
            return False


def finished(run: Path) -> Iterator[Path]:
    """Files of a run that are whole; what was reduced by a policy is left out."""
    for path in sorted(run.rglob("*")):
        unfinished = path.name.startswith(".") or path.name in _PASSING or path.suffix == ".open"
        if path.is_file() and not unfinished and not is_reduced(path):
            yield path


def restore(backup: Path, to: Path) -> Copied:
    """Make a run again from its copy in a backup.

    Args:
        backup: The run's folder in the backup.
        to: Where it shall be: a folder that does not exist yet, or to which files are missing.

    Raises:
        BackupError: There is no backup, a copy is damaged, or `to` holds another file of that name.
    """
    known = _read_list(backup)
    if not known:
        raise BackupError(f"{backup} is no backup of a run: it holds no {_LIST}")
    count = size = 0
    damaged = []
    for name, told in known.items():
        source, target = backup / name, to / name
        if not target.resolve().is_relative_to(to.resolve()):
            raise BackupError(f"{backup / _LIST} names {name!r}, which is no file of a run")
        if target.exists():
            if _digest(target) != told["blake2b"]:
                raise BackupError(f"{target} is another file: restore into an empty folder")
            continue
        if not source.is_file() or _digest(source) != told["blake2b"]:
            damaged.append(name)
            continue
        _copy(source, target)
        for reduced in reductions(target):
            files.remove(reduced)
        count, size = count + 1, size + told["size"]
    if damaged:
        raise BackupError(
            f"{len(damaged)} of {len(known)} files of {backup} are missing or damaged, the others "
            f"were restored: {', '.join(damaged[:5])}; where the run is still there, trackway backup "
            "--prove copies them again"
        )
    return Copied(count, size)


def _copy(source: Path, target: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with files.building(target) as temporary:
        with source.open("rb") as reading, temporary.open("xb") as writing:
            while block := reading.read(_BLOCK_BYTES):
                digest.update(block)
                writing.write(block)
        if _digest(temporary) != digest.hexdigest():
            raise BackupError(f"what was read back of {target} is not what was written")
    return digest.hexdigest()


def _digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _read_list(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        told = orjson.loads((folder / _LIST).read_bytes())
    except FileNotFoundError:
        return {}
    except orjson.JSONDecodeError as error:
        raise _damaged(folder, error) from error
    if not isinstance(told, dict) or not isinstance(told.get("files"), dict):
        raise _damaged(folder, "it lists no files")
    if told.get("format") != _FORMAT or told.get("version") != 1:
        raise BackupError(f"{folder / _LIST} is not a list of this version of Trackway")
    for name, of in told["files"].items():
        if not isinstance(of, dict) or {k: type(v) for k, v in of.items()} != _TOLD:
            raise _damaged(folder, f"it does not say what {name!r} is")
    found: dict[str, dict[str, Any]] = told["files"]
    return found


def _damaged(folder: Path, why: object) -> BackupError:
    return BackupError(
        f"{folder / _LIST} is damaged: {why}. The files beside it are the run's: copy them by hand, "
        "or remove the list and back the run up again"
    )


def _write_list(folder: Path, known: dict[str, dict[str, Any]]) -> None:
    body = {"format": _FORMAT, "version": 1, "files": known}
    files.publish(folder / _LIST, orjson.dumps(body, option=orjson.OPT_INDENT_2))
