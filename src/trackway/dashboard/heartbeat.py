"""How fast a run goes and when it was last heard of, as the newest rows of `system` tell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trackway.errors import TrackwayError
from trackway.storage.places import attempts
from trackway.storage.reader import Reader, end_row

_ROWS: Final = 60  # a row comes about once a second


@dataclass(frozen=True)
class Heartbeat:
    """The last minute: `steps_per_s` is None where less than two rows tell."""

    unix_s: float
    timestep: int
    steps_per_s: float | None


def heartbeat(run: Path) -> Heartbeat | None:
    """The last minute of the run's latest attempt; None where nothing tells."""
    for attempt in reversed(attempts(run)):
        folder = attempt.stream("system")
        try:
            first = max(0, end_row(folder) - _ROWS)
            rows = Reader(folder, ["unix_s", "timestep"], first).poll()
        except (TrackwayError, OSError):
            return None  # not begun yet, or damaged: the curves tell
        if not len(rows):
            return None
        unix_s, timestep = rows["unix_s"][:, 0], rows["timestep"][:, 0]
        span_s = float(unix_s[-1] - unix_s[0])
        speed = float(timestep[-1] - timestep[0]) / span_s if span_s > 0 else None
        return Heartbeat(float(unix_s[-1]), int(timestep[-1]), speed)
    return None
