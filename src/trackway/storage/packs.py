"""JSON files of a run that has ended, many in one zip; a tenth of the size, and a tenth of the files.

    episodes/episodes_20250101_120000--episodes_20250101_180000.zip
             episodes_20250101_180001.json …     the newest stay as they are

Any zip program makes the files again, as does `unpack`. A file that lies beside its pack counts
before what the pack holds of it.
"""

from __future__ import annotations

import contextlib
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trackway import files
from trackway.errors import FormatError

KEPT: Final = 20
# Of the folders of a run those that grow with it.
KINDS: Final = ("episodes", "environment_states", "learning_metrics")
_MEMBER: Final = re.compile(r"[^/\\\0.][^/\\\0]*\.json")
_LEVEL: Final = 6
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

    For folders that nobody writes into.

    Raises:
        OSError: The disk refused; all files are as they were.
        FormatError: What was read back is not what was written; all files are as they were.
    """
    _finish(folder)
    found = sorted(folder.glob("*.json"))
    chosen = found[: max(0, len(found) - keep)]
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


def unpack(folder: Path) -> int:
    """Make the files of all packs of a folder again; how many they were.

    Raises:
        FormatError: A pack is damaged. It stays, and so do the files that were made.
        OSError: The disk refused.
    """
    count = 0
    for path in packs(folder):
        for name in _names(path):
            with contextlib.suppress(FileExistsError):
                files.publish_new(folder / name, _read(path, name))
            count += 1
        files.remove(path)
    return count


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


def _finish(folder: Path) -> None:
    """Take away files that a pack holds as they are: a power cut came between."""
    for path in packs(folder):
        twice = [
            folder / name
            for name in _names(path)
            if (folder / name).exists() and (folder / name).read_bytes() == _read(path, name)
        ]
        if twice:
            files.remove_all(folder, twice)


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
