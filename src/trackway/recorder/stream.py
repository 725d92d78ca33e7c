"""What training writes into: the current row of a stream, as arrays.

steps = recorder.stream("steps", schema, num_envs=12)
steps.row["qpos"][:] = qpos          # [12, 19], straight into shared memory
steps.row["reward"][:] = reward      # [12]
steps.commit()
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy.typing as npt

from trackway.format import pieces
from trackway.recorder.gather import Gather
from trackway.storage import ring
from trackway.storage.ring import Ring

Array = npt.NDArray[Any]

# Waiting longer than this for room means that nobody will ever make any.
PATIENCE_S: Final = 30.0
_NAP_S: Final = 0.0002


class Stream:
    """A stream that this process commits to; one thread at a time.

    On the step path nothing is locked, logged or asked of the system: a commit is two stores.

    Attributes:
        row: The current row, by field `[num_envs, *shape]`; look it up anew after every commit.
        columns: Every row, by field `[capacity, num_envs, *shape]`; `columns[name][at] = values` is
            the fastest way to write a column that comes from elsewhere in every step.
        at: Which of them is the current one.
    """

    __slots__ = (
        "__weakref__",
        "_capacity",
        "_durable",
        "_limit",
        "_monotonic_ns",
        "_number",
        "_patient",
        "_ring",
        "_sequence",
        "_sleep",
        "_words",
        "at",
        "columns",
        "name",
        "row",
    )

    def __init__(
        self,
        name: str,
        memory: Ring,
        *,
        durable: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take a new ring.

        Args:
            name: The stream's name.
            memory: Its ring.
            durable: Whether a commit returns only once the row is on the disk.
            sleep: Lets time pass while waiting for room.
        """
        self.name = name
        self._ring = memory
        self._words, self._sequence = memory.words, memory.sequence
        self._capacity = self._limit = memory.spec.capacity
        self.columns: Mapping[str, Array] = memory.columns
        self._number = self.at = 0
        self.row: Mapping[str, Array] = CurrentRow(memory.columns, weakref.proxy(self))
        self._durable, self._sleep, self._patient = durable, sleep, True
        self._monotonic_ns = time.perf_counter_ns

    @property
    def packed(self) -> Array:
        """The current row as one block, uint8 `[row bytes]`, for sources that lie just so.

        The fields lie one after another, each `[num_envs, *shape]`.
        """
        packed: Array = self._ring.packed[self.at]
        return packed

    def write_bytes(self, data: bytes) -> None:
        """Write the current row, or its beginning, as it lies in memory."""
        start = self.at * self._ring.stride
        self._ring.bytes[start : start + len(data)] = data

    @property
    def committed(self) -> int:
        """Rows committed so far."""
        return self._number

    @property
    def memory(self) -> Path:
        """Where the ring lies."""
        return self._ring.path

    def publish(self, pointer: Path) -> None:
        """Tell the writer and the readers where the ring lies."""
        ring.publish_pointer(pointer, self._ring)

    @property
    def lost(self) -> int:
        """Rows that were not kept: the disk refused, or nobody drained the ring.

        At most so many: what was written before a sync failed may be on the disk all the same.
        """
        lost: int = self._words[ring.LOST] + self._words[ring.DISCARDED]
        return lost

    @property
    def undrained(self) -> int:
        """Rows committed that are not durable yet."""
        tail: int = self._words[ring.TAIL]
        return max(0, self._number - tail)

    @property
    def failing(self) -> bool:
        """Whether the disk refuses rows just now."""
        return bool(self._words[ring.FAILING])

    @property
    def failure(self) -> str:
        """Why the disk refused, the last time it did."""
        return self._ring.said()

    @property
    def waited_s(self) -> float:
        """How long training waited for room in the ring."""
        waited_ns: int = self._words[ring.WAITED_NS]
        return waited_ns / 1e9

    def commit(self) -> None:
        """Let the current row count, and go on to the next.

        A committed row survives the death of this process at any later instant.
        """
        slot = self.at
        # The row's own number first: a row counts by it, the head only says where to look.
        self._number = self._sequence[slot] = number = self._number + 1
        self._words[ring.HEAD] = number
        slot += 1
        if slot == self._capacity:
            slot = 0
        self.at = slot
        if number >= self._limit:
            self._make_room()
        if self._durable:
            self.sync()

    def write(self, columns: Mapping[str, npt.ArrayLike]) -> None:
        """Fill the current row from arrays `[num_envs, *shape]` by field, and commit it."""
        into, slot = self.columns, self.at
        # By number rather than through `row`: after a step the caches hold little of what is
        # ours, and the views of a row are more to fetch than the row itself.
        for name, column in columns.items():
            into[name][slot] = column
        self.commit()

    def gather(self, sources: Mapping[str, Array]) -> Gather:
        """Prepare to copy arrays that never move in memory: `gathered.write(stream.at)`.

        Args:
            sources: By field, `[num_envs, *shape]`.

        Raises:
            ValueError: A field is unknown, or its source has another shape.
        """
        return Gather(self._ring, sources)

    def sync(self, timeout_s: float = PATIENCE_S) -> bool:
        """Wait until every committed row is durable.

        Returns:
            Whether they are; not so when the disk refuses, or the time is up.
        """
        words, number = self._words, self._number
        words[ring.WANTED] = number
        deadline_ns = self._monotonic_ns() + int(timeout_s * 1e9)
        while words[ring.TAIL] < number:
            if words[ring.FAILING] or self._monotonic_ns() > deadline_ns:
                return False
            self._sleep(_NAP_S)
        return True

    def slot(self, env: int) -> WorkerSlot:
        """What a worker process needs to write environment `env` itself; can be pickled."""
        return WorkerSlot(self._ring.path, env)

    def close(self) -> None:
        """Say that no row follows; the writer seals the journal."""
        self._words[ring.CLOSED] = 1

    def _make_room(self) -> None:
        """Return when the slot of the current row is free."""
        words, capacity = self._words, self._capacity
        self._limit = words[ring.TAIL] + capacity
        if self._number < self._limit:
            return
        began_ns = self._monotonic_ns()
        while self._patient and self._number >= self._limit:
            self._sleep(_NAP_S)
            self._limit = words[ring.TAIL] + capacity
            self._patient = self._monotonic_ns() - began_ns < PATIENCE_S * 1e9
        if self._number >= self._limit:
            self._give_up_newest()
        else:
            self._patient = True
        words[ring.WAITED_NS] += self._monotonic_ns() - began_ns
        words[ring.WAITS] += 1

    def _give_up_newest(self) -> None:
        """Take the last commit back, so that its slot serves as the current row again.

        The ring is full of rows that nobody writes down. They stay; what comes after them is
        counted as discarded until there is room.
        """
        self._number -= 1
        self.at = self._number % self._capacity
        self._sequence[self.at] = 0
        self._words[ring.HEAD] = self._number
        self._words[ring.DISCARDED] += 1


class RecordStream:
    """A stream of records with free fields, at a low rate; from any thread."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._lock = threading.Lock()

    def append(self, record: Mapping[str, Any]) -> None:
        """Keep one record; its values are what JSON has, or are written as text."""
        stream = self.stream
        with self._lock:
            for row in pieces.rows(record):
                stream.write_bytes(row)
                stream.commit()


@dataclass(frozen=True)
class WorkerSlot:
    """One environment's place in a ring, for the process in which that environment lives."""

    path: Path
    env: int

    def open(self) -> SlotWriter:
        """Map the ring into this process."""
        return SlotWriter(Ring(self.path, writable=True), self.env)


class SlotWriter:
    """Writes one environment's values; the trainer commits the row once all have stepped.

    Attributes:
        row: This environment's part of the current row, by field `[1, *shape]`.
    """

    def __init__(self, memory: Ring, env: int) -> None:
        self._words, self._capacity = memory.words, memory.spec.capacity
        columns = {name: column[:, env : env + 1] for name, column in memory.columns.items()}
        self.row: Mapping[str, Array] = CurrentRow(columns, weakref.proxy(self))

    @property
    def at(self) -> int:
        """The slot that the trainer will commit next."""
        slot: int = self._words[ring.HEAD] % self._capacity
        return slot


class _Position(Protocol):
    @property
    def at(self) -> int: ...


class CurrentRow(Mapping[str, Array]):
    """The columns of the row at which somebody stands."""

    def __init__(self, columns: Mapping[str, Array], position: _Position) -> None:
        self._columns, self._position = columns, position

    def __getitem__(self, field: str) -> Array:
        part: Array = self._columns[field][self._position.at]
        return part

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)
