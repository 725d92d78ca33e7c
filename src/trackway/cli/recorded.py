"""Runs that hold streams, by what a person typed."""

from __future__ import annotations

from pathlib import Path

from trackway.run import RunFolder, check_folder, meant
from trackway.storage.places import streams_folder


def find_recorded(models: Path, name: str) -> Path:
    """The folder of a run, which need not have a manifest if it holds streams.

    Raises:
        RunError: No run or more than one answers to the name, or there is no such folder.
    """
    if _is_run(Path(name)):
        return Path(name)
    check_folder(models)
    runs = {path.name: path for path in sorted(models.iterdir()) if _is_run(path)}
    return runs[meant(name, list(runs), models)]


def _is_run(path: Path) -> bool:
    return RunFolder(path).manifest.is_file() or streams_folder(path).is_dir()
