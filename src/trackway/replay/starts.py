"""What episodes began with, for whoever goes through the rows of an attempt's `steps`."""

from __future__ import annotations

from typing import Any

from trackway.replay.attempt import Follower
from trackway.storage.places import AttemptFolder

Start = dict[str, Any]


class Starts:
    """Records of `starts`, read once: no more of them are in memory than a part has."""

    def __init__(self, attempt: AttemptFolder) -> None:
        self._records = (record for _, record in Follower(attempt.stream("starts")).poll())
        self._ahead: Start | None = None
        self._latest: dict[int, Start] = {}

    def within(self, first: int, end: int) -> dict[int, list[Start]]:
        """By environment, its starts in rows `first` to before `end`, in order.

        Where it began no episode in row `first` itself, the last start before that comes first. Rows
        only rise from call to call.
        """
        found = {env: [start] for env, start in self._latest.items()}
        while (start := self._ahead or next(self._records, None)) is not None:
            self._ahead = start
            if start["row"] >= end:
                break
            self._ahead = None
            self._latest[start["env"]] = start
            of_env = found.setdefault(start["env"], [])
            if start["row"] <= first:
                of_env.clear()
            of_env.append(start)
        return found


def scenes(attempt: AttemptFolder) -> list[dict[str, Any]]:
    """What the events `scene` tell: whose model is which, and how it is stepped."""
    events = (event for _, event in Follower(attempt.stream("events")).poll())
    known = [event for event in events if event.get("event") == "scene"]
    return [
        {name: scene[name] for name in ("physics", "substeps", "envs") if name in scene}
        for scene in known
        if scene.get("physics") and scene.get("substeps")
    ]
