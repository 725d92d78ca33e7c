"""What every part of the archive can do: be read, and be proven."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from trackway.errors import FormatError
from trackway.format.schema import Field
from trackway.format.segment import begin_digest
from trackway.storage.archive.checked import CheckedFile
from trackway.storage.archive.known import Known
from trackway.storage.archive.layout import Array

_HASHED_BYTES: Final = 1 << 18
ALL: Final = slice(None)


class Part:
    """A part as it was found; of a stream of columns, or of one of records.

    Attributes:
        header: What it says of itself.
    """

    def __init__(self, path: Path, known: Known, file: CheckedFile) -> None:
        self.path, self.header = path, known.header
        self._known, self._file = known, file
        self._parquet = pq.ParquetFile(file, metadata=known.metadata, pre_buffer=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._parquet.close()
        self._file.close()

    @cached_property
    def rows(self) -> npt.NDArray[np.int64]:
        """Numbers of its rows, rising."""
        raise NotImplementedError

    def place(self, row: int) -> int:
        """Where the row of this number is, or the next that is there."""
        return int(np.searchsorted(self.rows, row))

    def numbers(self, places: slice) -> npt.NDArray[np.int64]:
        """The numbers of the rows at these places."""
        return self.rows[places]

    def values(self, fields: Sequence[str], places: slice, envs: slice = ALL) -> list[Array]:
        """Of the rows at these places, `[n, environments, *shape]` of each field.

        Raises:
            FormatError: A chunk is damaged.
        """
        raise NotImplementedError

    def blocks(
        self, fields: Sequence[str], places: Sequence[slice], envs: slice = ALL
    ) -> Iterator[list[Array]]:
        """As `values`, of neighbouring places one after the other: decoded once, and at first.

        Raises:
            FormatError: A chunk is damaged.
        """
        for place in places:
            yield self.values(fields, place, envs)

    def stripes(self, envs: slice = ALL) -> list[tuple[int, int]]:
        """Places of rows that are best read together, of these environments."""
        return [(0, self.header.rows)]

    def wrong_fields(self) -> tuple[list[str], list[str]]:
        """Look at every value.

        Where values were rounded or rows let go on purpose, checksums are looked at alone.

        Returns:
            Fields whose values are not those that the segments were sealed with, and a sentence
            for every field that cannot be read.
        """
        wrong: list[str] = []
        damaged: list[str] = []
        for fields in self._read_together():
            names = [field.name for field in fields]
            try:
                if self.header.sampled_rows is not None or self.header.bounds.keys() & set(names):
                    self.values(names, slice(0, self.header.rows))
                else:
                    wrong += self._not_as_sealed(fields)
            except FormatError as error:
                damaged.append(f"{error} (field {', '.join(names)})")
        return wrong, damaged

    def _read_together(self) -> list[list[Field]]:
        """Fields that are best looked at in one go."""
        return [[field] for field in self.header.schema]

    def _not_as_sealed(self, fields: Sequence[Field]) -> list[str]:
        # A few rows at a time: what is put together is hashed while the processor still has it.
        row_bytes = self.header.num_envs * sum(field.value_bytes for field in fields)
        most = max(1, _HASHED_BYTES // row_bytes)
        starts = itertools.accumulate((s.rows for s in self.header.segments), initial=0)
        places = [
            [slice(at, min(at + most, end)) for at in range(start, end, most)]
            for start, end in itertools.pairwise(starts)
        ]
        names = [field.name for field in fields]
        blocks = self.blocks(names, [place for some in places for place in some])
        digests = {name: self.header.previous.get(name, "") for name in names}
        wrong: dict[str, None] = {}
        for segment, some in zip(self.header.segments, places, strict=True):
            hashes = {name: begin_digest(digest) for name, digest in digests.items()}
            for values in itertools.islice(blocks, len(some)):
                for name, value in zip(names, values, strict=True):
                    hashes[name].update(np.ascontiguousarray(value).data)
            digests = {name: value.hexdigest() for name, value in hashes.items()}
            wrong |= {n: None for n, told in digests.items() if told != segment.digests[n]}
        return list(wrong)

    def _read(self, groups: Sequence[int], names: Sequence[str] | None = None) -> pa.Table:
        try:
            columns = None if names is None else list(names)
            return self._parquet.read_row_groups(groups, columns, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise FormatError(f"{self.path}: {error}") from error
