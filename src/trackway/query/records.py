"""Streams of records as columns: `{"a": {"b": 1}}` is the number 1 in the column `a.b`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trackway.format import pieces
from trackway.storage.places import StreamFolder
from trackway.storage.reader import Reader

SHORT: Final = 4  # a command, a quaternion; not a state


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

    def poll(self) -> list[dict[str, Any]]:
        """Records that came since the last poll."""
        found = self._reader.poll()
        return self._joiner.join(found.rows, found.columns) if len(found) else []


class RecordColumns:
    """Columns that grow by records; where a record lacks one, a number is NaN and a text None."""

    def __init__(self) -> None:
        self._size = 0
        self._numbers: dict[str, _Growing] = {}
        self._texts: dict[str, list[str | None]] = {}

    def __len__(self) -> int:
        return self._size

    def extend(self, records: Iterable[Mapping[str, Any]]) -> None:
        for record in records:
            for name, value in flat(record):
                if isinstance(value, int | float):  # a bool is 0 or 1
                    if name not in self._numbers:
                        self._numbers[name] = _Growing()
                    self._numbers[name].put(self._size, value)
                elif isinstance(value, str):
                    texts = self._texts.setdefault(name, [])
                    texts.extend([None] * (self._size - len(texts)))
                    texts.append(value)
            self._size += 1

    @property
    def names(self) -> list[str]:
        """Columns of numbers, in the order in which they first came."""
        return list(self._numbers)

    @property
    def text_names(self) -> list[str]:
        return list(self._texts)

    def __getitem__(self, name: str) -> npt.NDArray[np.float64]:
        """A column of numbers, float64 `[records]`."""
        return self._numbers[name].values(self._size)

    def __contains__(self, name: str) -> bool:
        return name in self._numbers

    def texts(self, name: str) -> list[str | None]:
        """A column of texts, `[records]`; None for all where no record has it."""
        texts = self._texts.get(name, [])
        return texts + [None] * (self._size - len(texts))


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
    """Numbers by position; a position that was passed over is NaN."""

    def __init__(self) -> None:
        self._values = np.full(64, np.nan)

    def put(self, position: int, value: float) -> None:
        if position >= len(self._values):
            larger = np.full(max(2 * len(self._values), position + 1), np.nan)
            larger[: len(self._values)] = self._values
            self._values = larger
        try:
            self._values[position] = value
        except OverflowError:  # an integer beyond float64
            self._values[position] = np.inf if value > 0 else -np.inf

    def values(self, size: int) -> npt.NDArray[np.float64]:
        if len(self._values) < size:
            self.put(size - 1, np.nan)
        return self._values[:size]
