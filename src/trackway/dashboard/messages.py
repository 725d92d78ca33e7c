"""What the server tells the page. `scripts/web-messages` writes the same as TypeScript."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

State = Literal[
    "running", "stalled", "finished", "interrupted", "failed", "crashed", "damaged", "unknown"
]


class RunRow(TypedDict):
    """A run in the list."""

    id: str
    state: State
    error: str | None
    created_unix: float | None
    seen_unix: float | None
    timesteps: int | None
    planned: int | None
    steps_per_s: float | None
    left_s: float | None
    attempts: int
    num_envs: int | None
    algorithm: str | None
    environment: str | None
    returns: list[float | None]
    return_mean: float | None
    success: float | None
    tags: list[str]
    note: str


class RunList(TypedDict):
    """Every run, newest first."""

    folder: str
    runs: list[RunRow]


EpisodeRow = TypedDict(
    "EpisodeRow",
    {
        "key": str,
        "number": int,
        "attempt": str,
        "env": int,
        "episode": int,
        "ended": bool,
        "timestep": int | None,
        "unix_s": float | None,
        "return": float | None,
        "length": int,
        "reason": str | None,
        "success": bool | None,
        "rewards": dict[str, float],
        "costs": dict[str, float],
    },
)
"""An episode in a list; `key` names it for ever."""


class EpisodeList(TypedDict):
    """Episodes of a window, and how many ended for which reason."""

    total: int
    reasons: dict[str, int]
    episodes: list[EpisodeRow]


class FieldInfo(TypedDict):
    """A number that can be drawn; `numbers` of them where it is an array."""

    stream: str
    name: str
    unit: str
    description: str
    numbers: int


class Places(TypedDict):
    """One moment on every axis."""

    timestep: float
    time: float
    update: float
    episode: float


class Marker(TypedDict):
    """Something that happened: an event, a checkpoint, the beginning of an attempt."""

    kind: str
    at: Places
    facts: dict[str, Any]


class Overview(TypedDict):
    """What a run is, and what can be drawn of it."""

    row: RunRow
    fields: list[FieldInfo]
    markers: list[Marker]
    reasons: list[str]
    num_envs: int
    episodes: int
    updates: int


class Shares(TypedDict):
    """How many episodes ended for each reason, in stretches of the axis."""

    x: list[float]
    reasons: dict[str, list[int]]
