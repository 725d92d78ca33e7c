"""Streams of records as columns: `{"a": {"b": 1}}` is the number 1 in the column `a.b`."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trackway.format import pieces
from trackway.query.aside import Aside
from trackway.storage.places import StreamFolder
from trackway.storage.reader import Reader

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SHORT: Final = 4  # a command, a quaternion; not a state
_PIECES: Final = 20_000  # are read at once: 5 MB of JSON
# Numbers of a column that go to the disk together; so many are held at least, and at most twice.
_BLOCK: Final = 512


class RecordFollower:
    """Gives the records of one stream of one attempt as they come."""

    def __init__(self, folder: StreamFolder) -> None:
        """Begin at the first record.

        Raises:
            StreamError: The stream cannot be read.
        """
        self._reader, self._joiner = Reader(folder), pieces.Joiner()

    @property
    def faults(self) -> list[str]:
        """Files that could not be read, a sentence each; their records were left out."""
        return self._reader.faults

    def portions(self) -> Iterator[list[dict[str, Any]]]:
        """Records that came since the last time, in portions: of a long run, all are too many."""
        while len(found := self._reader.poll(_PIECES)):
            yield self._joiner.join(found.rows, found.columns)
            if len(found) < _PIECES:
                return

    def poll(self) -> list[dict[str, Any]]:
        """The same, all at once."""
        return [record for portion in self.portions() for record in portion]


class RecordColumns:
    """Columns that grow by records; where a record lacks one, a number is NaN and a text None."""

    def __init__(self, aside: Aside | None = None) -> None:
        """What need not be held in memory is laid `aside`."""
        self._size, self._aside = 0, aside
        self._numbers: dict[str, _Growing] = {}
        # A text is its place in `_told`, which holds each once.
        self._texts: dict[str, _Growing] = {}
        self._told: dict[str, dict[str, int]] = {}

    def __len__(self) -> int:
        return self._size

    def extend(self, records: Iterable[Mapping[str, Any]]) -> None:
        for record in records:
            for name, value in flat(record):
                if isinstance(value, int | float):  # a bool is 0 or 1
                    self._column(self._numbers, name).put(self._size, value)
                elif isinstance(value, str):
                    told = self._told.setdefault(name, {})
                    code = told.setdefault(value, len(told))
                    self._column(self._texts, name).put(self._size, code)
            self._size += 1

    @property
    def names(self) -> list[str]:
        """Columns of numbers, in the order in which they first came."""
        return list(self._numbers)

    @property
    def text_names(self) -> list[str]:
        return list(self._texts)

    @property
    def nbytes(self) -> int:
        """Of the numbers that are held in memory."""
        return sum(c.nbytes for c in (*self._numbers.values(), *self._texts.values()))

    def __getitem__(self, name: str) -> Floats:
        """A column of numbers, float64 `[records]`."""
        return self.part(name, 0, len(self))

    def __contains__(self, name: str) -> bool:
        return name in self._numbers

    def part(self, name: str, begin: int, end: int) -> Floats:
        """Some of a column of numbers, float64 `[end - begin]`."""
        return self._numbers[name].values(begin, end)

    def texts(self, name: str) -> list[str | None]:
        """A column of texts, `[records]`; None for all where no record has it."""
        codes, told = self.codes(name)
        return [told[code] if code >= 0 else None for code in codes.tolist()]

    def codes(self, name: str, begin: int = 0, end: int | None = None) -> tuple[Ints, list[str]]:
        """Of a column of texts each as a number, int64 `[end - begin]`, and what they stand for.

        Where a record has none, it is -1.
        """
        end = len(self) if end is None else end
        if name not in self._texts:
            return np.full(end - begin, -1), []
        values = self._texts[name].values(begin, end)
        return np.nan_to_num(values, nan=-1.0).astype(np.int64), list(self._told[name])

    def _column(self, columns: dict[str, _Growing], name: str) -> _Growing:
        found = columns.get(name)
        if found is None:
            found = columns[name] = _Growing(self._size, self._aside)
        return found


class JoinedColumns(RecordColumns):
    """Columns of several attempts as one, in the order in which their records came.

    What they hold is not held again: only which of them each record is of.
    """

    def __init__(self) -> None:
        super().__init__()
        self._parts: Sequence[RecordColumns] = ()
        self._order = array("H")

    def goes_on(self, parts: Sequence[RecordColumns]) -> bool:
        """Whether these are what it joins, and perhaps more."""
        known = zip(self._parts, parts, strict=False)
        return len(parts) >= len(self._parts) and all(one is other for one, other in known)

    def arrive(self, parts: Sequence[RecordColumns], mixed: bool) -> None:
        """Take in what came to each; `mixed`: by its timestep, where several are recorded at once."""
        known = self._counts(len(self), len(parts))
        self._parts = parts
        came = [(n, len(part) - known[n], part) for n, part in enumerate(parts)]
        order = np.repeat(np.arange(len(parts), dtype=np.uint16), [count for _, count, _ in came])
        if mixed and len(order):
            at = [
                part.part("timestep", len(part) - count, len(part))
                if "timestep" in part
                else np.zeros(count)
                for _, count, part in came
            ]
            order = order[np.argsort(np.concatenate(at), kind="stable")]
        self._order.frombytes(order.tobytes())

    def __len__(self) -> int:
        return len(self._order)

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(name for part in self._parts for name in part.names))

    @property
    def text_names(self) -> list[str]:
        return list(dict.fromkeys(name for part in self._parts for name in part.text_names))

    def __contains__(self, name: str) -> bool:
        return any(name in part for part in self._parts)

    def part(self, name: str, begin: int, end: int) -> Floats:
        if name not in self:
            raise KeyError(name)
        made = np.full(max(0, end - begin), np.nan)
        for part, first, places in self._within(begin, end):
            if name in part:
                made[places] = part.part(name, first, first + len(places))
        return made

    def codes(self, name: str, begin: int = 0, end: int | None = None) -> tuple[Ints, list[str]]:
        end = len(self) if end is None else end
        known: dict[str, int] = {}
        made = np.full(max(0, end - begin), -1)
        for part, first, places in self._within(begin, end):
            codes, told = part.codes(name, first, first + len(places))
            codes_here = [known.setdefault(text, len(known)) for text in told]
            made[places] = np.array([*codes_here, -1])[codes]
        return made, list(known)

    def _within(self, begin: int, end: int) -> Iterator[tuple[RecordColumns, int, Ints]]:
        """Of each part the first record that lies there, and the places of its records in between."""
        before = self._counts(begin, len(self._parts))
        order = np.array(self._order[begin:end], np.int64)
        for n, part in enumerate(self._parts):
            places = np.flatnonzero(order == n)
            if len(places):
                yield part, int(before[n]), places

    def _counts(self, end: int, parts: int) -> Ints:
        """How many of the first records are of each part."""
        return np.bincount(np.array(self._order[:end], np.int64), minlength=parts)


def flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a record, with dotted paths; those of a short list are `key.0`, `key.1`."""
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        elif isinstance(value, list) and 0 < len(value) <= SHORT:
            yield from flat({str(i): item for i, item in enumerate(value)}, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


class _Growing:
    """Numbers by position; a position that was passed over is NaN.

    | NaN | on the disk: block | block | … | held |
    0     first                            begin
    """

    def __init__(self, first: int, aside: Aside | None) -> None:
        self._first = self._begin = first
        self._aside = aside
        self._blocks = array("q")  # where each lies
        self._held = np.full(16, np.nan)

    @property
    def nbytes(self) -> int:
        return self._held.nbytes

    def put(self, position: int, value: float) -> None:
        """Positions rise, but for one that is put again."""
        while position - self._begin >= 2 * _BLOCK and self._lay_aside():
            pass
        at = position - self._begin
        self._make_room(at + 1)
        try:
            self._held[at] = value
        except OverflowError:  # an integer beyond float64
            self._held[at] = np.inf if value > 0 else -np.inf

    def values(self, begin: int, end: int) -> Floats:
        """Those from position `begin` to before `end`."""
        made = np.full(max(0, end - begin), np.nan)
        skipped = max(0, begin - self._first) // _BLOCK
        for number, at in enumerate(self._blocks[skipped:], skipped):
            start = self._first + number * _BLOCK
            if start >= end or self._aside is None:
                break
            _lay(made, begin, start, np.frombuffer(self._aside.get(at, 8 * _BLOCK)))
        _lay(made, begin, self._begin, self._held)
        return made

    def _lay_aside(self) -> bool:
        """Let the oldest block go to the disk; whether it was taken."""
        if self._aside is None:
            return False
        self._make_room(2 * _BLOCK)
        try:
            self._blocks.append(self._aside.put(self._held[:_BLOCK].tobytes()))
        except OSError:
            return False
        self._held[:-_BLOCK] = self._held[_BLOCK:]
        self._held[-_BLOCK:] = np.nan
        self._begin += _BLOCK
        return True

    def _make_room(self, size: int) -> None:
        if size > len(self._held):
            larger = np.full(max(size, 2 * len(self._held)), np.nan)
            larger[: len(self._held)] = self._held
            self._held = larger


def _lay(made: Floats, begin: int, start: int, values: Floats) -> None:
    """Put numbers that begin at position `start` into those that begin at `begin`."""
    first, last = max(begin, start), min(begin + len(made), start + len(values))
    if first < last:
        made[first - begin : last - begin] = values[first - start : last - start]
