"""What finished files say of the rows before their end: digests of every field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trackway.format.schema import Schema
from trackway.storage.parts import part_header
from trackway.storage.places import PartFile, StreamFolder
from trackway.storage.segments import read_seal


@dataclass(frozen=True)
class Seal:
    """Of one segment; whether it still is a segment, or in a part, makes no difference."""

    number: int
    num_envs: int
    schema: Schema
    first_row: int
    next_row: int
    digests: Mapping[str, str]


def seals(folder: StreamFolder) -> Iterator[Seal]:
    """The seals of a stream in order, up to the first file that is not finished or not readable."""
    for file in folder.contents().files:
        if isinstance(file, PartFile):
            part = part_header(file.path)
            if part is None:
                return
            for told in part.segments:
                yield Seal(
                    told.number, part.num_envs, part.schema, told.first_row, told.next_row,
                    told.digests,
                )  # fmt: skip
            continue
        found = read_seal(file.path) if file.sealed else None
        if found is None:
            return
        header, next_row, digests = found
        yield Seal(
            header.number, header.num_envs, header.schema, header.first_row, next_row, digests
        )
