"""JSON files of a run, many in one zip; a tenth of the size, and a hundredth of the files.

    episodes/episodes_20250101_120000--episodes_20250101_180000.zip
             episodes_20250101_180001.json …     the newest stay as they are

Any zip program makes the files again, as does `unpack`. A file that lies beside its pack counts
before what the pack holds of it.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trackway import files
from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import FormatError

KEPT: Final = 20
# Of the folders of a run those that grow with it.
KINDS: Final = ("episodes", "environment_states", "learning_metrics")
_MEMBER: Final = re.compile(r"[^/\\\0.][^/\\\0]*\.json")
_LEVEL: Final = 6
_PATIENCE_S: Final = 60.0
# A wrong size in a damaged pack must not fill the memory.
_MOST_BYTES: Final = 1 << 30


@dataclass(frozen=True)
class Packed:
    """What was made of some files."""

    path: Path
    files: int
    before_bytes: int
    after_bytes: int


def pack(folder: Path, keep: int = KEPT) -> Packed | None:
    """Put all but the newest files of a folder into one pack; each is read back before it goes.

    New files may come meanwhile. Who dies in the middle loses and doubles nothing: the next one
    goes on.

    Returns:
        What was packed, or None for nothing; also where another process is at it.

    Raises:
        OSError: The disk refused; all files are as they were.
        FormatError: What was read back is not what was written; all files are as they were.
    """
    held = files.lock(folder) if folder.is_dir() else None
    if held is None:
        return None
    try:
        files.remove_leftovers(folder, ".zip")
        twice = packed_twice(folder)
        if twice:
            files.remove_all(folder, twice)
        return _pack(folder, _older(folder, keep))
    finally:
        held.release()


def _older(folder: Path, keep: int) -> list[Path]:
    """All files but the newest, by name; nor those last written, where a clock was set back."""
    by_name = sorted(folder.glob("*.json"))
    newest = set(sorted(by_name, key=lambda path: path.stat().st_mtime_ns)[-keep:] if keep else [])
    return [path for path in by_name[: max(0, len(by_name) - keep)] if path not in newest]


def _pack(folder: Path, chosen: list[Path]) -> Packed | None:
    if len(chosen) < 2:
        return None
    path = folder / f"{chosen[0].stem}--{chosen[-1].stem}.zip"
    if path.exists():
        return None  # files came back that a pack of this name holds otherwise: they stay
    before = sum(file.stat().st_size for file in chosen)
    with files.building(path) as temporary:
        with zipfile.ZipFile(
            temporary, "x", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL, strict_timestamps=False
        ) as packed:
            for file in chosen:
                packed.write(file, file.name)
        with zipfile.ZipFile(temporary) as packed:
            for file in chosen:
                if packed.read(file.name) != file.read_bytes():
                    raise FormatError(f"what was read back of {file} is not what was written")
    files.remove_all(folder, chosen)
    return Packed(path, len(chosen), before, path.stat().st_size)


def unpack(folder: Path, clock: Clock = SYSTEM_CLOCK) -> int:
    """Make the files of all packs of a folder again; how many they were.

    Raises:
        FormatError: A pack is damaged. It stays, and so do the files that were made.
        OSError: The disk refused, or another process goes on packing.
    """
    if not packs(folder):
        return 0
    deadline_s = clock.monotonic_s() + _PATIENCE_S
    while (held := files.lock(folder)) is None:
        if clock.monotonic_s() >= deadline_s:
            raise BlockingIOError(errno.EAGAIN, "another process packs its files", str(folder))
        clock.sleep_s(0.1)
    try:
        return sum(_unpack(folder, path) for path in packs(folder))
    finally:
        held.release()


def _unpack(folder: Path, path: Path) -> int:
    names = _names(path)
    for name in names:
        _make(folder / name, _read(path, name))
    files.remove(path)
    return len(names)


def _make(path: Path, data: bytes) -> None:
    """Publish a file; beside another one of this name, of a clock that was set back."""
    stem = path.stem
    for number in itertools.count(2):
        try:
            files.publish_new(path, data)
        except FileExistsError:
            if path.read_bytes() == data:
                return
            path = path.with_name(f"{stem}_{number}.json")
        else:
            return


def packs(folder: Path) -> list[Path]:
    return sorted(folder.glob("*--*.zip"))


def read_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every JSON file of a folder, packed or not, in the order of their names.

    Raises:
        FormatError: A pack is damaged.
    """
    for name, path in sorted(_places(folder).items()):
        yield name, path.read_bytes() if path.name == name else _read(path, name)


def count_files(folder: Path) -> int:
    """How many JSON files a folder has, packed or not."""
    return len(_places(folder))


def _places(folder: Path) -> dict[str, Path]:
    places: dict[str, Path] = {}
    for path in packs(folder):
        places |= dict.fromkeys(_names(path), path)
    return places | {path.name: path for path in folder.glob("*.json")}


def packed_twice(folder: Path) -> list[Path]:
    """Files that a pack beside them holds as they are: a power cut came between.

    Raises:
        FormatError: A pack is damaged.
    """
    return [
        folder / name
        for path in packs(folder)
        for name in _names(path)
        if (folder / name).exists() and (folder / name).read_bytes() == _read(path, name)
    ]


def _names(path: Path) -> list[str]:
    with _opened(path) as packed:
        names = packed.namelist()
    wrong = [name for name in names if not _MEMBER.fullmatch(name)]
    if wrong:
        raise FormatError(f"{path} holds {wrong[0]!r}, which is no file of records")
    return names


def _read(path: Path, name: str) -> bytes:
    with _opened(path) as packed:
        if packed.getinfo(name).file_size > _MOST_BYTES:
            raise FormatError(f"{path}: {name} says that it is larger than any file of records")
        return packed.read(name)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as packed:
            yield packed
    except FileNotFoundError:
        raise
    # What zipfile raises for damaged bytes is not only its own error.
    except (zipfile.BadZipFile, zlib.error, LookupError, ValueError, EOFError, OSError) as error:
        raise FormatError(f"{path} is damaged: {error}") from error
    except RuntimeError as error:  # encrypted, or packed in a way that nobody here used
        raise FormatError(f"{path} is damaged: {error}") from error
