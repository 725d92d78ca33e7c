"""Runs that hold streams, by what a person typed."""

from __future__ import annotations

from pathlib import Path

from trackway.run import find_run
from trackway.storage.places import streams_folder


def find_recorded(models: Path, name: str) -> Path:
    """The folder of a run, which need not have a manifest if it holds streams.

    Raises:
        RunError: No run or more than one answers to the name.
    """
    return Path(name) if streams_folder(Path(name)).is_dir() else find_run(models, name).path
