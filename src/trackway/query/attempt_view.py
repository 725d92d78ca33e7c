"""One attempt of a run, to be drawn while it is recorded: its streams, and its place on the line."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from trackway.errors import StreamError
from trackway.format import pieces
from trackway.query.axis import Axis, Floats, X
from trackway.query.downsample import Buckets, downsample_at
from trackway.query.line import Span
from trackway.query.records import RecordColumns, RecordFollower
from trackway.query.stream_view import StreamView
from trackway.storage.reader import describe, end_row

_RECORDS: Final = ("episodes", "updates", "events", "starts")


class _Kept:
    """Records of a stream that are on the line, and how many were looked at."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.columns = RecordColumns()
        self.looked_at = 0


class AttemptView:
    """Looks at one attempt.

    Attributes:
        span: Its place on the run's line.
        columns: Streams of columns, by name.
        records: Records of each stream of records, on the line or not.
    """

    def __init__(self, span: Span) -> None:
        self.span = span
        self.columns: dict[str, StreamView] = {}
        self.records: dict[str, list[dict[str, Any]]] = {}
        self._followers: dict[str, RecordFollower] = {}
        self._kept: dict[str, _Kept] = {}
        self._told_before: float | None = None
        self._ends: dict[str, int] = {}
        self._seen: dict[str, int] = {}

    @property
    def begun(self) -> bool:
        """Whether it told its beginning: until then its place on the line is not known."""
        return any(record.get("event") == "begin" for record in self.records.get("events", ()))

    def refresh(self) -> bool:
        self._seen.clear()
        grown = self._discover()
        for name, follower in self._followers.items():
            new = follower.poll()
            if new:
                grown = True
                self.records[name].extend(new)
        for stream in self.columns.values():
            grown |= stream.refresh()
        return grown

    def _discover(self) -> bool:
        found = False
        for folder in self.span.attempt.streams():
            if folder.name in self.columns or folder.name in self.records:
                continue
            try:
                if describe(folder)[2] == pieces.KIND:
                    self._followers[folder.name] = RecordFollower(folder)
                    self.records[folder.name] = []
                else:
                    self.columns[folder.name] = StreamView(folder)
                found = True
            except StreamError:
                continue  # just being made, or lost: `trackway verify` tells which
        return found

    def put(self, span: Span, told_before: float | None) -> None:
        """Tell its place on the line, and the timestep of the last update before it."""
        if (span, told_before) != (self.span, self._told_before):
            self.span, self._told_before = span, told_before
            self._kept.clear()

    def kept(self, stream: str) -> list[dict[str, Any]]:
        """Records on the line."""
        self._keep(stream)
        return self._kept[stream].records

    def told(self, stream: str) -> RecordColumns:
        """Records on the line, as columns."""
        self._keep(stream)
        kept = self._kept[stream]
        kept.columns.extend(kept.records[len(kept.columns) :])
        return kept.columns

    def _keep(self, stream: str) -> None:
        kept = self._kept.setdefault(stream, _Kept())
        told = self.records.get(stream, [])
        new, kept.looked_at = told[kept.looked_at :], len(told)
        # An update that led to a checkpoint is told before it, and again after the resume.
        seam = (
            self._told_before
            if stream == "updates" and self._told_before == self.span.begin
            else None
        )
        kept.records.extend(
            record
            for record in new
            if self.span.counts(record) and (seam is None or record.get("timestep") != seam)
        )

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
            return len(self.told(stream))
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
        columns = self.told(stream)
        if field not in columns:
            return downsample_at(np.empty(0), [0])
        values = columns[field]
        return downsample_at(
            values, np.unique(np.linspace(first, end, wanted + 1).astype(np.int64))
        )

    def record_axis(self, stream: str, x: X, before: int) -> Axis | None:
        """Of records: what each says of itself."""
        columns = self.told(stream)
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
        told = self.told(x + "s")
        if "row" not in told:
            return None
        return Axis.through(told["row"] + 1, before + 1 + np.arange(len(told)), origin=before)

    def _moments(self) -> tuple[Floats, Floats]:
        """Rows of `steps` and when they were, as the records tell."""
        rows, times = [np.empty(0)], [np.empty(0)]
        for stream in _RECORDS:
            told = self.told(stream) if stream in self.records else RecordColumns()
            if "timestep" in told and "unix_s" in told:
                rows.append((told["timestep"] - self.span.begin) / max(1, self.span.num_envs))
                times.append(told["unix_s"])
        return np.concatenate(rows), np.concatenate(times)
