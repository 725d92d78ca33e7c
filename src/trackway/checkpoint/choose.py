"""Which checkpoint to go on from: the newest one of which every byte is as it was written."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trackway.checkpoint.archive import MANIFEST
from trackway.checkpoint.read import Checkpoint, read_checkpoint
from trackway.errors import CheckpointError

_NAME = re.compile(r"(.*?)(?:_(\d{1,5}))?")


@dataclass(frozen=True)
class Choice:
    """The checkpoint to go on from, and those that would have come first.

    Attributes:
        checkpoint: Whole and verified; None where there is none.
        damaged: Newer ones that are not whole, and why not.
    """

    checkpoint: Checkpoint | None
    damaged: dict[Path, str] = field(default_factory=dict)


def choose(folder: Path, at: int | None = None, learn: int | None = None) -> Choice:
    """The newest whole checkpoint of a folder.

    Args:
        folder: Of the zips.
        at: The newest at or before that timestep.
        learn: The newest that was taken in that call of `learn` of its program, 1, 2, …
    """
    damaged: dict[Path, str] = {}
    for path, timestep in _newest_first(folder):
        if at is not None and timestep is not None and timestep > at:
            continue
        if learn is not None and told(path).get("learn", 1) != learn:
            continue
        try:
            checkpoint = read_checkpoint(path)
        except CheckpointError as error:
            damaged[path] = str(error)
            continue
        if checkpoint.resumable:
            return Choice(checkpoint, damaged)
    return Choice(None, damaged)


def list_checkpoints(folder: Path) -> list[Path]:
    """Zips of checkpoints, oldest first: by their names, which tell the time of their making."""
    return sorted(folder.glob("checkpoint_*.zip"), key=_order)


def _newest_first(folder: Path) -> list[tuple[Path, int | None]]:
    """Checkpoints and the timesteps that they tell, by these; one that tells none stays where it was.

    Names tell local times, and a run may have been on two machines.
    """
    found, before = [], -1
    for path in list_checkpoints(folder):
        timestep = told_timestep(path)
        before = before if timestep is None else timestep
        found.append((before, path, timestep))
    found.sort(key=lambda each: each[0])
    return [(path, timestep) for _, path, timestep in reversed(found)]


def _order(path: Path) -> tuple[str, int]:
    # checkpoint_20250101_120000, then checkpoint_20250101_120000_2
    match = _NAME.fullmatch(path.stem)
    return (match[1], int(match[2] or 1)) if match else (path.stem, 1)


def told_timestep(path: Path) -> int | None:
    """What a checkpoint says of itself, unverified; None where it cannot be read."""
    timestep = told(path).get("timestep")
    return timestep if isinstance(timestep, int) else None


def told(path: Path) -> dict[str, Any]:
    """The manifest of a checkpoint, unverified; empty where it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read(MANIFEST))
    except (zipfile.BadZipFile, OSError, ValueError, KeyError, RuntimeError):
        return {}
    return manifest if isinstance(manifest, dict) else {}
