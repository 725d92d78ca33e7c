"""What a run's manifest tells of a training that begins, or goes on."""

from __future__ import annotations

import sys
from typing import Any

from go1.training.origin import Origin
from go1.training.start import Start, program
from trackway import run as run_folder
from trackway.clock import SYSTEM_CLOCK, iso


def manifest_of(start: Start) -> dict[str, Any]:
    """Of a new run; or that of the run that goes on, with this attempt added."""
    resumed_from = _told(start.origin)
    attempt = {
        "created": iso(SYSTEM_CLOCK.unix_s()),
        "command": sys.argv,
        "process": run_folder.this_process(),
        **start.facts,
        "resumed_from": resumed_from,
        "differences": [difference.to_json() for difference in start.differences],
        "damaged": {str(path): why for path, why in start.damaged.items()},
    }
    del attempt["config"]  # the run's own, below
    if start.run is None:
        return run_folder.new_manifest(
            command=sys.argv,
            name=start.name,
            program=program(start.argv),
            resumed_from=resumed_from,
            **start.facts,
            attempts=[attempt],
        )
    manifest = run_folder.read_manifest(start.run)
    manifest.setdefault("attempts", [{}]).append(attempt)
    return manifest | {
        "status": "running",
        "process": attempt["process"],
        "config": start.settings.tables(),
    }


def _told(origin: Origin | None) -> dict[str, Any] | None:
    if origin is None:
        return None
    kind = "resume" if origin.resumes else "fine_tune"
    return {"kind": kind, "path": str(origin.path), "timestep": origin.timestep}
