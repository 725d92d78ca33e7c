"""What figures are drawn from: numbers of episodes along an axis, one environment through one episode."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from trackway.errors import QueryError
from trackway.format.labels import labels
from trackway.format.schema import Field
from trackway.query.facts import RunFacts
from trackway.query.line import Span
from trackway.query.records import RecordColumns
from trackway.query.run_view import RunView
from trackway.query.step_time import step_s
from trackway.storage.reader import Reader

Floats = npt.NDArray[np.float64]
WINDOW: Final = 100
GRID: Final = 240
_FEWEST: Final = 5
_STAMP: Final = re.compile(r"^\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-?")


@dataclass(frozen=True)
class Subject:
    """A run to draw."""

    facts: RunFacts
    view: RunView

    @property
    def label(self) -> str:
        """Its name without the time."""
        return _STAMP.sub("", self.facts.name) or self.facts.name

    def episodes(self) -> RecordColumns:
        """Its episodes.

        Raises:
            QueryError: None has ended.
        """
        episodes = self.view.records("episodes")
        if not len(episodes) or "timestep" not in episodes:
            raise QueryError(f"{self.facts.name} has no finished episode to draw")
        return episodes


def recent(x: Floats, values: Floats, grid: Floats, window: int = WINDOW) -> Floats:
    """Mean of the last `window` finite values at each place of a grid; NaN before there are five."""
    finite = np.isfinite(values) & np.isfinite(x)
    order = np.argsort(x[finite], kind="stable")
    at, sums = x[finite][order], np.append(0.0, np.cumsum(values[finite][order]))
    end = np.searchsorted(at, grid, "right")
    begin = np.maximum(0, end - window)
    count = end - begin
    mean = (sums[end] - sums[begin]) / np.maximum(count, 1)
    return np.where(count >= min(_FEWEST, len(at)), mean, np.nan)


def spread(
    x: Floats, values: Floats, grid: Floats, parts: tuple[float, float] = (0.1, 0.9)
) -> tuple[Floats, Floats]:
    """Quantiles of the last 100 finite values at each place of a grid."""
    finite = np.isfinite(values) & np.isfinite(x)
    order = np.argsort(x[finite], kind="stable")
    at, kept = x[finite][order], values[finite][order]
    low, high = np.full(len(grid), np.nan), np.full(len(grid), np.nan)
    for i, end in enumerate(np.searchsorted(at, grid, "right").tolist()):
        if end >= min(_FEWEST, len(at)) and end:
            low[i], high[i] = np.quantile(kept[max(0, end - WINDOW) : end], parts)
    return low, high


def groups(subjects: Sequence[Subject]) -> dict[str, list[Subject]]:
    """Runs whose settings differ by nothing but seed and name, under what their names have in common."""
    by_config: dict[bytes, list[Subject]] = {}
    for subject in subjects:
        config = _without_seed(subject.facts.config)
        key = [config, subject.facts.algorithm, subject.facts.environment]
        by_config.setdefault(orjson.dumps(key, option=orjson.OPT_SORT_KEYS), []).append(subject)
    found: list[tuple[str, list[Subject]]] = []
    for members in by_config.values():
        common = _common_beginning([s.label for s in members])
        common = re.sub(r"[-_ ]*(seed|run)?[-_ ]*$", "", common) if len(members) > 1 else common
        algorithm = members[0].facts.algorithm
        label = (
            common or " ".join(filter(None, [algorithm, members[0].facts.environment])) or "runs"
        )
        found.append((label, members))
    alike = Counter(label for label, _ in found)
    named: dict[str, list[Subject]] = {}
    for label, members in found:
        # Of runs called alike the time tells which is which; of folders called alike, nothing.
        told = label if alike[label] == 1 else members[0].facts.name
        while told in named:
            told += "'"
        named[told] = members
    return named


def _common_beginning(names: Sequence[str]) -> str:
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in alike)


def _without_seed(config: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_seed(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in {"seed", "run_name", "name"}
    }


@dataclass(frozen=True)
class Motion:
    """One environment through one episode.

    Attributes:
        time: Since the episode's first recorded row, `[n]`; in s, or in vector steps where nobody told
            how long one is.
        columns: By field, `[n, *shape]`.
        fields: By name.
        timed: Whether `time` is in seconds.
        told: Which episode it is, for a title.
    """

    time: Floats
    columns: dict[str, npt.NDArray[Any]]
    fields: dict[str, Field]
    timed: bool
    told: str


def motion(
    subject: Subject, wanted: Sequence[str], *, episode: int | None, env: int | None
) -> Motion:
    """The fields `wanted`, as far as they are there, through an episode.

    Without a choice it is the longest of the last tenth of the episodes.

    Raises:
        QueryError: There is no such episode, or none of the fields.
    """
    chosen = _choose(subject, episode, env)
    span, record = chosen
    folder = span.stream("steps")
    if folder is None:
        raise QueryError(f"{subject.facts.name} recorded no steps")
    whole = Reader(folder)
    fields = {field.name: field for field in whole.schema}
    names = [name for name in wanted if name in fields]
    if not names:
        raise QueryError(f"{subject.facts.name} recorded none of: {', '.join(wanted)}")
    env = int(record["env"])
    first = int(record["row"]) - int(record["length"]) + 1
    reader = Reader(folder, names, max(0, first), env)
    found = reader.poll(int(record["length"]))
    kept = found.rows <= int(record["row"])
    if not kept.any():
        why = "; ".join(["", *reader.faults])
        raise QueryError(
            f"the steps of that episode of {subject.facts.name} are not kept any more here{why}"
        )
    columns = {name: found[name][kept, 0] for name in names}
    rows = found.rows[kept] - first
    each_s = step_s(subject.view, span, Path(subject.facts.path))
    how = (record.get("termination_reason") or "ended").replace("_", " ")
    told = f"robot {env}, episode {int(record['episode'])}, timestep {short_int(record['timestep'])}, {how}"
    time = rows.astype(np.float64) * (each_s or 1.0)
    return Motion(time, columns, fields, each_s is not None, told)


def short_int(value: Any) -> str:
    return f"{int(value):,}"


def _choose(subject: Subject, episode: int | None, env: int | None) -> tuple[Span, dict[str, Any]]:
    told = [
        (span, record)
        for span, records in subject.view.line_records("episodes")
        for record in records
        if (env is None or record.get("env") == env)
        and (episode is None or record.get("episode") == episode)
        and record.get("length")
    ]
    if not told:
        which = "" if episode is None else f" {episode}"
        of = "" if env is None else f" of environment {env}"
        raise QueryError(f"{subject.facts.name} has no finished episode{which}{of}")
    late = told[-max(1, len(told) // 10) :]
    return max(late, key=lambda found: found[1]["length"])


def numbered_labels(field: Field) -> list[str]:
    """What the numbers of a field are called; `0`, `1` and so on those that nobody named."""
    named = labels(field)
    return [*map(str, range(math.prod(field.shape) - len(named))), *named]
