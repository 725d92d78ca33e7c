"""A run to be drawn while it is written: every number of every stream along one axis.

view = RunView(Path("models/my_run"))
view.refresh()                                  # again whenever it should be looked for more
curve = view.curve("steps", "reward", x="timestep", buckets=1000)
curve = view.curve("updates", "train/loss", x="time")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trackway import files
from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import QueryError
from trackway.format.schema import Field
from trackway.query.aside import Aside
from trackway.query.attempt_view import AttemptView
from trackway.query.axis import AXES, Axis, Floats, X
from trackway.query.downsample import Buckets, downsample_at
from trackway.query.line import Span, line
from trackway.query.records import JoinedColumns, RecordColumns
from trackway.storage.abandoned import finish_abandoned
from trackway.storage.places import attempts

_NOTHING: Final = RecordColumns()


@dataclass(frozen=True)
class Curve:
    """Buckets along an axis; every array is `[n]`.

    Attributes:
        x: Where each bucket begins on the axis, and `x_end` where it ends.
        attempt: The attempt it is of, an index into `RunView.spans`.
        writer: Which of the run's writers that attempt is of.
        buckets: What it held; `rows` and `ends` are row numbers of that attempt's stream.
        unit: Of the values.
    """

    x: Floats
    x_end: Floats
    attempt: npt.NDArray[np.int64]
    writer: npt.NDArray[np.int64]
    buckets: Buckets
    unit: str

    def __len__(self) -> int:
        return len(self.x)

    def only(self, attempts: Sequence[int]) -> Curve:
        """What of it is of these attempts."""
        kept = np.flatnonzero(np.isin(self.attempt, attempts))
        made = self.buckets.each(lambda part: part[kept])
        return Curve(
            self.x[kept],
            self.x_end[kept],
            self.attempt[kept],
            self.writer[kept],
            Buckets(made.rows[kept], made.ends[kept], *made.parts()),
            self.unit,
        )


class RunView:
    """Looks at one run; for one thread.

    Attributes:
        spans: The attempts on the run's line, oldest first.
    """

    def __init__(self, run: Path, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.run, self._clock = run, clock
        self.spans: list[Span] = []
        self._attempts: dict[str, AttemptView] = {}
        self._names: list[str] | None = None
        self._joined: dict[str, JoinedColumns] = {}
        self._aside = Aside()
        self.refresh()

    def refresh(self) -> bool:
        """Take in what came since: attempts, records, rows of the fields that were asked for.

        Returns:
            Whether there was something.
        """
        for attempt in attempts(self.run):
            finish_abandoned(attempt, self._clock)
        names = [attempt.name for attempt in attempts(self.run)]
        grown = names != self._names
        if grown or not all(view.begun for view in self._attempts.values()):
            self._names, self.spans = names, line(self.run)
            for span in self.spans:
                if span.attempt.name not in self._attempts:
                    self._attempts[span.attempt.name] = AttemptView(span, self._aside)
        told: dict[int, float] = {}  # by rank, the timestep of the last update
        for view in self._views():
            span = self._span(view)
            view.put(span, told_before=told.get(span.rank))
            grown |= view.refresh()
            if view.last_update is not None:
                told[span.rank] = view.last_update
        return grown

    def streams(self) -> dict[str, tuple[Field, ...]]:
        """Streams of columns and their fields, of the latest attempt that has each."""
        found: dict[str, tuple[Field, ...]] = {}
        for view in self._views():
            for name, stream in view.columns.items():
                found[name] = tuple(stream.fields.values())
        return found

    def num_envs(self, stream: str) -> int:
        """Environments in a row of a stream; 0 where nobody knows the stream."""
        return max(
            (v.columns[stream].num_envs for v in self._views() if stream in v.columns), default=0
        )

    def records(self, stream: str) -> RecordColumns:
        """The records of a stream on the run's line, in the order in which they came."""
        parts = [view.records.get(stream, _NOTHING) for view in self._views()]
        if len(parts) == 1:
            return parts[0]
        known = self._joined.get(stream)
        if known is None or not known.goes_on(parts):
            known = self._joined[stream] = JoinedColumns()
        known.arrive(parts, mixed=len(self.writing) > 1)
        return known

    def line_records(self, stream: str) -> list[tuple[Span, list[dict[str, Any]]]]:
        """The records of a stream on the run's line, by attempt, read once more as they were."""
        return [(view.span, view.line_records(stream)) for view in self._views()]

    def axis(self, span: Span, x: X) -> Axis | None:
        """Where rows of `steps` of an attempt are on an axis; None where nothing tells."""
        return self._axis(self._attempts[span.attempt.name], "steps", x)

    def rows(self, stream: str) -> list[int]:
        """How many rows of a stream each attempt gave to the line."""
        return [view.rows(stream) for view in self._views()]

    @property
    def writing(self) -> list[int]:
        """The newest attempt of each of the run's writers, as indices into `spans`."""
        return sorted({span.rank: number for number, span in enumerate(self.spans)}.values())

    def drawn(self, stream: str) -> tuple[int, int]:
        """How many rows of a stream of columns can be drawn: of attempts that are over, and beyond.

        Several writers that record at once can be drawn as far as all of them have come.
        """
        rows, newest = self.rows(stream), self.writing
        over = sum(count for number, count in enumerate(rows) if number not in newest)
        views = self._views()
        begun = [number for number in newest if stream in views[number].columns]
        growing = [rows[number] for number in begun if views[number].grows(stream)]
        ended = [rows[number] for number in begun]
        return over, min(growing) if growing else max(ended, default=0)

    def extent(self, stream: str, x: X = "timestep") -> tuple[float, float]:
        """Where a stream begins and ends on an axis.

        Raises:
            QueryError: There is no such axis, or it has no meaning for the stream.
        """
        ends = [
            (float(axis.at(0.0)), float(axis.at(rows)))
            for view, rows in zip(self._views(), self.rows(stream), strict=True)
            if rows and (axis := self._axis(view, stream, x))
        ]
        return (min(e[0] for e in ends), max(e[1] for e in ends)) if ends else (0.0, 0.0)

    def curve(
        self,
        stream: str,
        field: str,
        *,
        env: int | None = None,
        index: int = 0,
        x: X = "timestep",
        start: float | None = None,
        end: float | None = None,
        buckets: int = 1000,
    ) -> Curve:
        """One number along an axis, as at most about `buckets` buckets.

        Args:
            stream: `steps`, `system`, `updates`, `episodes`, or one of your own.
            field: A field of its schema, or the dotted path of a number in its records.
            env: Of which environment; None: over all of them.
            index: Which number of the field, counted through its shape.
            x: The axis; `time` is in seconds since 1970.
            start: Where on the axis; its beginning when not given.
            end: Until where; its end when not given.
            buckets: How many.

        Raises:
            QueryError: There is no such stream, field, environment, number or axis.
        """
        if x not in AXES:
            raise QueryError(f"there is no axis {x!r}; there are: {', '.join(AXES)}")
        begin_x, end_x = self.extent(stream, x)
        low, high = begin_x if start is None else start, end_x if end is None else end
        parts: list[Curve] = []
        unit, known = "", False
        for number, view in enumerate(self._views()):
            if stream in view.columns:
                unit, known = view.columns[stream].fields.get(field, Field("-", unit="")).unit, True
                if view.columns[stream].follow(field):
                    view.columns[stream].refresh()
            known |= bool(len(view.records.get(stream, ())))
            axis, rows = self._axis(view, stream, x), view.rows(stream)
            if not rows or axis is None:
                continue
            first, last = np.clip(axis.rows_at([low, high]), 0, rows)
            share = (axis.at(last) - axis.at(first)) / (high - low) if high > low else 1.0
            wanted = max(1, round(buckets * float(np.clip(share, 0, 1))))
            made = view.buckets(stream, field, int(first), int(np.ceil(last)), wanted, env, index)
            ends = axis.at(np.minimum(made.ends, rows))
            attempt, writer = (np.full(len(made), n) for n in (number, view.span.rank))
            parts.append(Curve(axis.at(made.rows), ends, attempt, writer, made, unit))
        if not known:
            raise QueryError(f"{self.run.name} has no stream {stream!r}; it has: {self._told()}")
        return _joined(parts, unit)

    def follow(self, stream: str, *fields: str) -> None:
        """Take in several fields of a stream of columns in one reading, before their curves are asked."""
        for view in self._views():
            found = view.columns.get(stream)
            if found is None:
                continue
            known = [name for name in fields if name in found.fields]
            found.read_apart(*known)
            if found.follow(*known):
                found.refresh()

    def save(self) -> None:
        """Keep the pyramids that are worth it, so that the next who looks need not make them."""
        for view in self._views():
            ended = not files.is_locked(view.span.attempt.lock)
            for stream in view.columns.values():
                stream.save(ended)

    def _views(self) -> list[AttemptView]:
        return [self._attempts[span.attempt.name] for span in self.spans]

    def _span(self, view: AttemptView) -> Span:
        return next(span for span in self.spans if span.attempt == view.span.attempt)

    def _told(self) -> str:
        names = {n for v in self._views() for n in (*v.columns, *v.records)}
        return ", ".join(sorted(names)) or "none"

    def _axis(self, view: AttemptView, stream: str, x: X) -> Axis | None:
        if stream in view.records:
            return view.record_axis(stream, x, self._before(view, stream))
        if stream not in view.columns:
            return None
        return view.row_axis(stream, x, self._before(view, x + "s"))

    def _before(self, view: AttemptView, stream: str) -> int:
        """How many records of a stream the attempts before gave to the line."""
        views = self._views()
        return sum(v.rows(stream) for v in views[: views.index(view)] if stream in v.records)


def _joined(parts: list[Curve], unit: str) -> Curve:
    if not parts:
        nothing, none = np.empty(0), np.empty(0, np.int64)
        return Curve(nothing, nothing, none, none, downsample_at(nothing, [0]), unit)
    buckets = [part.buckets for part in parts]
    joined = Buckets(
        np.concatenate([b.rows for b in buckets]),
        np.concatenate([b.ends for b in buckets]),
        *(np.concatenate(arrays) for arrays in zip(*(b.parts() for b in buckets), strict=True)),
    )
    return Curve(
        np.concatenate([part.x for part in parts]),
        np.concatenate([part.x_end for part in parts]),
        np.concatenate([part.attempt for part in parts]),
        np.concatenate([part.writer for part in parts]),
        joined,
        unit,
    )
