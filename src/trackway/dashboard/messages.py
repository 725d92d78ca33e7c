"""What the server tells the page. `scripts/web-messages` writes the same as TypeScript."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

State = Literal[
    "running", "stalled", "finished", "interrupted", "failed", "crashed", "damaged", "unknown"
]


class RunRow(TypedDict):
    """A run in the list; `return_mean`, `length_mean` and `success` are of its last 100 episodes."""

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
    length_mean: float | None
    success: float | None
    checkpoints: int
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


class ReasonTable(TypedDict):
    """Why episodes ended, by environment or by what was asked of the robot."""

    reasons: list[str]
    total: list[int]
    by_env: list[list[int]]
    commands: list[str]
    by_command: list[list[list[int]]]
    edges: list[list[float]]


class CheckpointRow(TypedDict):
    """A model file of a run."""

    name: str
    kind: Literal["checkpoint", "best", "final"]
    timestep: int | None
    made_unix: float
    size_bytes: int
    return_mean: float | None
    algorithm: str | None
    verified: bool | None
    exact: bool
    lacks: list[str]
    error: str | None
    resume: str
    fork: str


class PolicyRow(TypedDict):
    """A model whose policy may drive an episode."""

    name: str
    kind: Literal["checkpoint", "best", "final"]
    timestep: int | None


class Policies(TypedDict):
    """Whose policies may drive an episode, and whether the server was allowed to let them."""

    allowed: bool
    policies: list[PolicyRow]


class StreamHealth(TypedDict):
    """How a stream is kept."""

    attempt: str
    stream: str
    kind: str
    rows: int
    size_bytes: int
    segments: int
    parts: int
    recording: bool
    waiting: int
    lost: int
    waits: int
    waited_s: float
    failing: str | None
    checking: bool
    verified: bool | None
    faults: list[str]


class Place(TypedDict):
    """What a kind of file takes on the disk."""

    name: str
    files: int
    size_bytes: int


class Store(TypedDict):
    """A place that the run is shipped to."""

    name: str
    epoch: str
    files: int
    size_bytes: int
    told_unix: float


class Health(TypedDict):
    """How a run is kept."""

    streams: list[StreamHealth]
    places: list[Place]
    size_bytes: int
    disk_free_bytes: int
    bytes_per_s: float | None
    days_left: float | None
    needed_bytes: float | None
    lag_ms: float | None
    waited_share: float | None
    stores: list[Store]
    verify: str


class Fact(TypedDict):
    """One setting or circumstance of a run."""

    section: str
    key: str
    value: str


class Figure(TypedDict):
    """A mean with the interval in which it lies in 95 of 100 cases."""

    mean: float
    low: float
    high: float
    n: int


class FigureRow(TypedDict):
    """One figure of several runs."""

    name: str
    values: list[Figure | None]


class Difference(TypedDict):
    """A setting that is not the same in all runs."""

    key: str
    values: list[str | None]


class Comparison(TypedDict):
    """Several runs beside each other; runs of one group differ by their seed alone."""

    rows: list[RunRow]
    groups: list[int]
    differs: list[Difference]
    same: int
    figures: list[FigureRow]


class Change(TypedDict):
    """How a number in a stretch differs from before it; `effect` in standard deviations."""

    kind: Literal["component", "episode", "learner", "curriculum", "command", "machine"]
    key: str
    before: float
    during: float
    effect: float


class ReasonChange(TypedDict):
    """How often episodes ended for a reason, as shares."""

    reason: str
    before: float
    during: float
    effect: float


class Explanation(TypedDict):
    """What changed in a stretch against as long a stretch before it."""

    before: tuple[float, float]
    during: tuple[float, float]
    episodes_before: int
    episodes_during: int
    changes: list[Change]
    reasons: list[ReasonChange]
    markers: list[Marker]


AlertKind = Literal[
    "not_finite", "collapse", "kl", "stalled", "crashed", "disk", "lost_rows", "diverged"
]


class Alert(TypedDict):
    """Something about a run that wants looking at."""

    run: str
    kind: AlertKind
    since_unix: float
    timestep: int | None
    facts: dict[str, Any]
