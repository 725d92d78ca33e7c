"""How long a step of the environment is, in simulated time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trackway.query.line import Span
from trackway.query.run_view import RunView
from trackway.storage.places import scenes_folder
from trackway.storage.reader import Reader, describe

_LOOKED_AT = 100


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
                scene = scenes_folder(run) / f"{record['physics']}.npz"
                try:
                    with np.load(scene, allow_pickle=False) as arrays:
                        return float(arrays["opt.timestep"]) * int(record["substeps"])
                except (OSError, ValueError, KeyError):
                    return None
    return None
