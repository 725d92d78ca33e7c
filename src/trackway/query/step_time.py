"""How long a step of the environment is, in simulated time."""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path
from typing import Final

import numpy as np

from trackway.query.line import Span
from trackway.query.run_view import RunView
from trackway.storage.places import scenes_folder
from trackway.storage.reader import Reader, describe

_LOOKED_AT: Final = 100
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_BROKEN: Final = (
    *(OSError, ValueError, TypeError, EOFError, LookupError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError),
)


def step_s(view: RunView, span: Span, run: Path) -> float | None:
    """Seconds, as a recorded `time` tells, else the scene; None where neither does.

    Args:
        view: The run.
        span: The attempt.
        run: The run's folder.
    """
    folder = span.stream("steps")
    if folder is None:
        return None
    if any(field.name == "time" and not field.shape for field in describe(folder)[0]):
        found = Reader(folder, ["time"], env=0).poll(_LOOKED_AT)
        passed = np.diff(found["time"][:, 0]) / np.diff(found.rows)
        if len(passed):
            return float(np.median(passed))
    for told, records in view.line_records("events"):
        for record in records:
            if told == span and record.get("event") == "scene" and record.get("substeps"):
                scene = str(record.get("physics"))
                if not _DIGEST.fullmatch(scene):
                    return None
                try:
                    # Opened here: of a file that is no zip NumPy leaves what it opened open.
                    with (
                        (scenes_folder(run) / f"{scene}.npz").open("rb") as file,
                        np.load(file, allow_pickle=False) as arrays,
                    ):
                        return float(arrays["opt.timestep"]) * int(record["substeps"])
                except _BROKEN:
                    return None
    return None
