"""Files of a run beside its streams, each looked at whole: JSON, packs, models, scenes.

A flipped digit in a JSON file that stays JSON is told by nobody: these have no checksum. All others do.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import orjson

from trackway.checkpoint.read import read_checkpoint
from trackway.errors import CheckpointError

_DAMAGED: Final = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


def look_at_other_files(run: Path) -> Iterator[tuple[Path, str]]:
    """Every such file of a run, and what is wrong with it; "" where nothing is."""
    for path in sorted(run.rglob("*")):
        look = _LOOKS.get(path.suffix)
        if look is None or path.name.startswith(".") or not path.is_file():
            continue
        try:
            look(path)
        except FileNotFoundError:
            continue  # a training that lives took it away
        except CheckpointError as error:
            yield path, str(error)
        except _DAMAGED as error:
            yield path, f"{path} is damaged: {error}"
        else:
            yield path, ""


def _json(path: Path) -> None:
    orjson.loads(path.read_bytes())


def _zip(path: Path) -> None:
    if path.parent.parent.name == "realtime_data":
        _members(path)
    else:
        read_checkpoint(path)


def _members(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        broken = archive.testzip()
    if broken is not None:
        raise ValueError(f"its member {broken} does not match its checksum")


def _named_by_digest(path: Path) -> None:
    if hashlib.sha256(path.read_bytes()).hexdigest() != path.stem:
        raise ValueError("it is not what its name says")


_LOOKS: Final[dict[str, Callable[[Path], None]]] = {
    ".json": _json,
    ".zip": _zip,
    ".npz": _members,
    ".mjb": _named_by_digest,
}
