"""What a run has to hand on: scalars along timesteps, episodes step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trackway.errors import QueryError
from trackway.format.schema import Field, Schema
from trackway.query.facts import RunFacts
from trackway.query.line import Span
from trackway.query.records import flat
from trackway.query.run_view import RunView
from trackway.query.runs import Run
from trackway.query.step_time import step_s
from trackway.storage.reader import Reader, describe

Array = npt.NDArray[Any]

_ABOUT: Final = frozenset({"timestep", "unix_s", "row", "env", "episode", "event"})
_CHUNK_BYTES: Final = 32 << 20


@dataclass(frozen=True)
class Options:
    """What of a run is wanted.

    Attributes:
        envs: Environments whose steps are handed on; None: all of them.
        fields: Fields of `steps`; None: all.
        steps: Whether steps are wanted where a format can do without.
    """

    envs: Sequence[int] | None = (0,)
    fields: Sequence[str] | None = None
    steps: bool = True


@dataclass(frozen=True)
class Scalars:
    """Numbers that a run told together.

    Attributes:
        kind: Of which stream.
        timestep, unix_s: When.
        values: By name, as `train/loss`, `episode/return`, `system/cpu_percent`; finite or not.
    """

    kind: str
    timestep: int
    unix_s: float
    values: dict[str, float]


@dataclass(frozen=True)
class EpisodeSteps:
    """An episode of one environment, step by step.

    Attributes:
        record: What its record says.
        begin_timestep: The timestep of its first row.
        rows: Numbers of its rows, `[n]`.
        columns: By field, `[n, *shape]`.
        start: The state it began with, as recorded; {} where nobody told.
    """

    record: Mapping[str, Any]
    rows: npt.NDArray[np.int64]
    timesteps: npt.NDArray[np.int64]
    columns: dict[str, Array]
    start: Mapping[str, Any] = field(default_factory=dict)


class Source:
    """One run, read for an exporter.

    Attributes:
        facts: What is known at a glance.
        schema: Fields of `steps` that are wanted; None where the run has no steps.
        step_s: Simulated time of a step, s; None where nobody told.
        envs: Environments that are wanted.
    """

    def __init__(self, run: Run, options: Options) -> None:
        """Look at a run.

        Raises:
            QueryError: It has no such environment or field.
        """
        self.run, self.facts, self.options = run, run.facts, options
        self.view = RunView(run.path)
        self.schema: Schema | None = None
        self.envs: list[int] = []
        self.step_s: float | None = None
        newest = next((s for s in reversed(self.view.spans) if s.stream("steps")), None)
        folder = newest.stream("steps") if newest else None
        if newest is None or folder is None:
            return
        schema, num_envs, _ = describe(folder)
        self.envs = list(range(num_envs) if options.envs is None else options.envs)
        wrong = [env for env in self.envs if not 0 <= env < num_envs]
        if wrong:
            raise QueryError(f"{run.name} has environments 0 to {num_envs - 1}, not {wrong[0]}")
        known = {f.name: f for f in schema}
        missing = [name for name in options.fields or () if name not in known]
        if missing:
            raise QueryError(f"{run.name} has no field {missing[0]!r}; it has: {', '.join(known)}")
        self.schema = Schema(*(known[name] for name in options.fields or known))
        self.step_s = step_s(self.view, newest, Path(run.facts.path))

    @property
    def name(self) -> str:
        return self.run.name

    def field(self, name: str) -> Field | None:
        """A wanted field by its name."""
        return next((f for f in self.schema or () if f.name == name), None)

    def scalars(self) -> Iterator[Scalars]:
        """Numbers of updates, episodes and the machine, in the order of timesteps."""
        told: list[Scalars] = []
        for stream, prefix in (("updates", ""), ("episodes", "episode/")):
            for _, records in self.view.line_records(stream):
                for record in records:
                    values = {
                        (
                            name if "/" in name else (prefix or "update/") + name.replace(".", "/")
                        ): float(value)
                        for name, value in flat(record)
                        if name not in _ABOUT and isinstance(value, int | float)
                    }
                    told.append(_scalars(stream, record, values))
        told.extend(self._machine())
        return iter(sorted(told, key=lambda scalars: scalars.timestep))

    def texts(self) -> Iterator[dict[str, Any]]:
        """Events, as they were recorded."""
        for _, records in self.view.line_records("events"):
            yield from records

    def episodes(self, fields: Sequence[str] | None = None) -> Iterator[EpisodeSteps]:
        """Episodes of the wanted environments whose steps are all kept, in the order of their ends."""
        if self.schema is None:
            return
        names = [f.name for f in self.schema] if fields is None else list(fields)
        starts = {
            (span.attempt.name, r.get("env"), r.get("row")): r.get("start") or {}
            for span, records in self.view.line_records("starts")
            for r in records
        }
        for span, records in self.view.line_records("episodes"):
            folder = span.stream("steps")
            for record in records:
                if folder is None or record.get("env") not in self.envs:
                    continue
                first, length = _extent(record)
                found = Reader(folder, names, first, int(record["env"])).poll(length)
                kept = found.rows <= int(record["row"])
                if np.count_nonzero(kept) != length:
                    continue  # its beginning was before the recording, or is not kept any more
                rows = found.rows[kept]
                yield EpisodeSteps(
                    record,
                    rows,
                    span.begin + (rows + 1) * span.num_envs,
                    {name: found[name][kept, 0] for name in names},
                    starts.get((span.attempt.name, record["env"], first), {}),
                )

    def batches(self, env: int) -> Iterator[tuple[Span, npt.NDArray[np.int64], dict[str, Array]]]:
        """All rows on the line of one environment: span, row numbers, columns `[n, *shape]`."""
        if self.schema is None:
            return
        names = [f.name for f in self.schema]
        for span in self.view.spans:
            folder = span.stream("steps")
            if folder is None:
                continue
            reader = Reader(folder, names, 0, env)
            limit = max(1, _CHUNK_BYTES // self.schema.row_bytes(1))
            while len(found := reader.poll(limit)):
                kept = found.rows < span.rows if span.rows is not None else slice(None)
                rows = found.rows[kept]
                if len(rows):
                    yield span, rows, {n: found[n][kept, 0] for n in names}
                if len(rows) < len(found):
                    break

    def _machine(self) -> Iterator[Scalars]:
        for span in self.view.spans:
            folder = span.stream("system")
            if folder is None:
                continue
            found = Reader(folder).poll()
            names = [n for n in found.columns if n not in _ABOUT]
            for i in range(len(found)):
                when = {n: found[n][i, 0] for n in ("timestep", "unix_s")}
                if span.holds(int(when["timestep"])):
                    values = {f"system/{n}": float(found[n][i, 0]) for n in names}
                    yield _scalars("system", when, values)


def _extent(record: Mapping[str, Any]) -> tuple[int, int]:
    length = int(record.get("length") or 0)
    return max(0, int(record["row"]) - length + 1), max(1, length)


def _scalars(kind: str, record: Mapping[str, Any], values: dict[str, float]) -> Scalars:
    return Scalars(
        kind, int(record.get("timestep") or 0), float(record.get("unix_s") or 0.0), values
    )


def facts_of(run: RunFacts) -> dict[str, Any]:
    """Where an export comes from, for its metadata."""
    told = run.to_json()
    for name in ("sparkline", "config_text", "path"):
        told.pop(name)
    return {key: value for key, value in told.items() if value not in (None, [], {})}
