"""One attempt of a run, to be drawn while it is recorded: its streams, and its place on the line."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from trackway.errors import StreamError
from trackway.format import pieces
from trackway.query.aside import Aside
from trackway.query.axis import Axis, Floats, X
from trackway.query.downsample import Buckets, downsample_at
from trackway.query.line import Span
from trackway.query.records import RecordColumns, RecordFollower
from trackway.query.stream_view import StreamView
from trackway.storage.reader import describe, end_row

_RECORDS: Final = ("episodes", "updates", "events", "starts")


class AttemptView:
    """Looks at one attempt.

    Attributes:
        span: Its place on the run's line.
        begun: Whether it told its beginning: until then its place on the line is not known.
        last_update: The timestep of its last update on the line; None where it has none.
        columns: Streams of columns, by name.
        records: Records of each stream of records that are on the line, by name.
    """

    def __init__(self, span: Span, aside: Aside | None = None) -> None:
        """What need not be held in memory is laid `aside`."""
        self.span, self.begun = span, False
        self.last_update: float | None = None
        self.columns: dict[str, StreamView] = {}
        self.records: dict[str, RecordColumns] = {}
        self._aside = aside
        self._followers: dict[str, RecordFollower] = {}
        self._told_before: float | None = None
        self._ends: dict[str, int] = {}
        self._seen: dict[str, int] = {}

    def put(self, span: Span, told_before: float | None) -> None:
        """Tell its place on the line, and the timestep of the last update before it."""
        if (span, told_before) != (self.span, self._told_before):
            self.span, self._told_before, self.last_update = span, told_before, None
            for name in self.records:  # others are on the line now: they are read again
                self._begin(name)

    def refresh(self) -> bool:
        self._seen.clear()
        grown = self._discover()
        for name, follower in self._followers.items():
            for portion in follower.portions():
                grown = True
                self._take(name, portion)
        for stream in self.columns.values():
            grown |= stream.refresh()
        return grown

    def line_records(self, stream: str) -> list[dict[str, Any]]:
        """The records of a stream that are on the line, as they were, read once more."""
        folder = self.span.stream(stream)
        if folder is None or stream not in self.records:
            return []
        return self._on_line(stream, RecordFollower(folder).poll())

    def _discover(self) -> bool:
        found = False
        for folder in self.span.attempt.streams():
            if folder.name in self.columns or folder.name in self.records:
                continue
            try:
                if describe(folder)[2] == pieces.KIND:
                    self._begin(folder.name)
                else:
                    self.columns[folder.name] = StreamView(folder, self._aside)
                found = True
            except StreamError:
                continue  # just being made, or lost: `trackway verify` tells which
        return found

    def _begin(self, stream: str) -> None:
        self._followers[stream] = RecordFollower(self.span.attempt.stream(stream))
        self.records[stream] = RecordColumns(self._aside)

    def _take(self, stream: str, told: list[dict[str, Any]]) -> None:
        if stream == "events":
            self.begun |= any(record.get("event") == "begin" for record in told)
        kept = self._on_line(stream, told)
        if stream == "updates" and kept:
            self.last_update = kept[-1].get("timestep")
        self.records[stream].extend(kept)

    def _on_line(self, stream: str, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
        # An update that led to a checkpoint is told before it, and again after the resume.
        before = self._told_before if stream == "updates" else None
        seam = before if before == self.span.begin else None
        return [
            record
            for record in told
            if self.span.counts(record) and (seam is None or record.get("timestep") != seam)
        ]

    def grows(self, stream: str) -> bool:
        """Whether a stream of columns may grow: it is recorded here, or comes from a store."""
        if stream not in self.columns or stream in self._ends:
            return False
        folder = self.columns[stream].folder
        return folder.ring_pointer.exists() or any(folder.path.glob("*.open"))

    def _growing(self, stream: str) -> int:
        """Rows of a stream that may grow, as of the last refresh: what has been taken in can be drawn."""
        view = self.columns[stream]
        growing = self.grows(stream)
        taken = view.taken
        if growing and taken is not None:
            return taken
        rows = self._seen.get(stream)
        if rows is None:  # mapping a ring takes milliseconds
            rows = self._seen[stream] = end_row(view.folder)
        if not growing:  # everything is sealed: nothing follows
            self._ends[stream] = rows
        return rows

    def rows(self, stream: str) -> int:
        if stream in self.records:
            return len(self.records[stream])
        if stream not in self.columns:
            return 0
        rows = self._ends.get(stream)
        if rows is None:
            rows = self._growing(stream)
        if stream == "steps" and self.span.rows is not None:
            return min(rows, self.span.rows)
        return rows

    def buckets(
        self,
        stream: str,
        field: str,
        first: int,
        end: int,
        wanted: int,
        env: int | None,
        index: int,
    ) -> Buckets:
        if stream in self.columns:
            return self.columns[stream].buckets(field, first, end, wanted, env=env, index=index)
        columns = self.records[stream]
        if field not in columns:
            return downsample_at(np.empty(0), [0])
        values = columns[field]
        return downsample_at(
            values, np.unique(np.linspace(first, end, wanted + 1).astype(np.int64))
        )

    def record_axis(self, stream: str, x: X, before: int) -> Axis | None:
        """Of records: what each says of itself."""
        columns = self.records[stream]
        if x + "s" == stream:
            return Axis.linear(before + 1.0, 1.0)
        name = {"time": "unix_s"}.get(x, x)
        if name == "row" or name not in columns:
            return Axis.linear(0.0, 1.0) if name == "row" else None
        count = len(columns)
        return Axis.through(np.arange(count), np.maximum.accumulate(columns[name]))

    def row_axis(self, stream: str, x: X, before: int) -> Axis | None:
        """Of rows of columns: through what the records say of rows of `steps`."""
        span, each = self.span, max(1, self.span.num_envs)
        if x == "row":
            return Axis.linear(0.0, 1.0)
        by_timestep = Axis.linear(span.begin + each, each)
        if stream != "steps":
            at = self.columns[stream].own_axis("unix_s" if x == "time" else "timestep")
            if at is None or x in ("timestep", "time"):
                return at
            steps = self.row_axis("steps", x, before)
            return steps and Axis(at.rows, steps.at(by_timestep.rows_at(at.x)))
        if x == "timestep":
            return by_timestep
        if x == "time":
            rows, times = self._moments()
            return Axis.through(rows, times) if len(rows) else None
        told = self.records.get(x + "s", RecordColumns())
        if "row" not in told:
            return None
        return Axis.through(told["row"] + 1, before + 1 + np.arange(len(told)), origin=before)

    def _moments(self) -> tuple[Floats, Floats]:
        """Rows of `steps` and when they were, as the records tell."""
        rows, times = [np.empty(0)], [np.empty(0)]
        for stream in _RECORDS:
            told = self.records.get(stream, RecordColumns())
            if "timestep" in told and "unix_s" in told:
                rows.append((told["timestep"] - self.span.begin) / max(1, self.span.num_envs))
                times.append(told["unix_s"])
        return np.concatenate(rows), np.concatenate(times)
