"""A run in another program's format."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trackway.errors import QueryError
from trackway.query.exchange.source import Options, Source
from trackway.query.runs import Run


@dataclass(frozen=True)
class Format:
    """What an export makes.

    Attributes:
        says: For whom.
        suffix: Of the file; "" where a folder is made.
    """

    says: str
    suffix: str = ""


FORMATS: Final = {
    "csv": Format("a file per table"),
    "tensorboard": Format("event files with every scalar"),
    "wandb": Format("an offline run of Weights & Biases, for `wandb sync`"),
    "mcap": Format("steps and records for Foxglove", ".mcap"),
    "rerun": Format("steps and scalars for Rerun", ".rrd"),
    "minari": Format("a dataset of episodes for offline learning"),
    "lerobot": Format("a dataset of episodes for LeRobot, version 3.0"),
}


def export(
    run: Run, kind: str, target: Path | None = None, options: Options | None = None
) -> list[Path]:
    """Write a run in the format `kind`.

    Args:
        run: The run; one that is still recorded is written as far as it came.
        kind: Of `FORMATS`.
        target: A new file or folder; `<run>.<suffix>` or `<run>-<kind>` here when not given.
        options: Which environments and fields.

    Returns:
        What was written.

    Raises:
        QueryError: There is no such format, `target` exists, or the run lacks what the format needs.
        MissingExtraError: A library is not installed.
    """
    if kind not in FORMATS:
        raise QueryError(f"there is no format {kind!r}; there are: {', '.join(FORMATS)}")
    suffix = FORMATS[kind].suffix
    target = target or Path(f"{run.name}{suffix or f'-{kind}'}")
    if target.is_file() or (target.is_dir() and (suffix or any(target.iterdir()))):
        raise QueryError(f"{target} exists: name another, or remove it")
    module: Any = importlib.import_module(f"trackway.query.exchange.to_{kind}")
    written: list[Path] = module.export(Source(run, options or Options()), target)
    return written
