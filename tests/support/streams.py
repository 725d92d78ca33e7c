"""A stream without processes: the trainer's end, and a drain that a test moves by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.support.clock import FakeClock
from tests.support.segments import NUM_ENVS, SCHEMA, rows

from trackway.recorder.stream import Stream
from trackway.storage import ring
from trackway.storage.drain import Drain
from trackway.storage.limits import Limits
from trackway.storage.places import StreamFolder, new_attempt
from trackway.storage.reader import Reader, Records
from trackway.storage.ring import Ring, RingSpec, create_ring, publish_pointer


class Bench:
    """One stream of a run in `path`, its ring in the stream's own folder."""

    def __init__(
        self,
        path: Path,
        *,
        capacity: int = 16,
        segment_rows: int = 1000,
        limits: Limits | None = None,
        sync_s: float = 0.25,
    ) -> None:
        self.run = path
        self.clock = FakeClock()
        self.sync_s = sync_s
        self.folder: StreamFolder = new_attempt(path).stream("steps")
        self.folder.path.mkdir()
        spec = RingSpec(
            "steps", "columns", NUM_ENVS, SCHEMA, capacity, segment_rows, limits or Limits()
        )
        self.ring: Ring = create_ring(self.folder.own_ring, spec)
        publish_pointer(self.folder.ring_pointer, self.ring)
        self.stream = Stream("steps", self.ring, sleep=self.never)
        self.drain = self.new_drain()

    def never(self, _: float) -> None:
        raise AssertionError("training waits")

    def new_drain(self) -> Drain:
        return Drain(self.folder, Ring(self.ring.path, writable=True), self.sync_s, self.clock)

    def commit(self, count: int) -> None:
        for _ in range(count):
            columns = rows(self.stream.committed, 1)
            names = [field.name for field in SCHEMA]
            self.stream.write({n: c[0] for n, c in zip(names, columns, strict=True)})

    def step(self, passed_s: float = 1.0) -> None:
        """The writer looks, now and after this time; 0.25 s later what it wrote is synced."""
        self.drain.step()
        self.clock.advance(passed_s)
        self.drain.step()

    def finish(self) -> None:
        self.stream.close()
        assert self.drain.finish("closed")
        self.drain.close()
        ring.remove_ring(self.folder.ring_pointer, self.ring)

    def read(self, first: int = 0) -> Records:
        return Reader(self.folder, first=first).poll()

    def forget_ring(self) -> None:
        """As after a power cut: memory is gone."""
        ring.remove_ring(self.folder.ring_pointer, self.ring)


def assert_rows(records: Records, expected: range | list[int]) -> None:
    """These rows, each with the values that it was committed with."""
    assert records.rows.tolist() == list(expected)
    for number, *values in zip(records.rows.tolist(), *records.columns.values(), strict=True):
        for value, given in zip(values, rows(number, 1), strict=True):
            np.testing.assert_array_equal(value, given[0])
