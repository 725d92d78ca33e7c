"""Rows of a stream that a policy let go here because a store has them: which, and where."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace

from trackway.errors import FormatError
from trackway.format.stored import StoredRows
from trackway.storage.places import StoredFile, StreamFolder


def stored_rows(folder: StreamFolder) -> list[StoredRows]:
    """What lies elsewhere, in order; neighbours in one store are told as one.

    Raises:
        FormatError: A note of it is damaged.
    """
    return list(_joined(_read_notes(folder)))


def read_note(file: StoredFile) -> StoredRows:
    """What a note says.

    Raises:
        FormatError: It is damaged.
        FileNotFoundError: The rows have come back.
    """
    try:
        return StoredRows.decode(file.path.read_bytes())
    except FormatError as error:
        raise FormatError(f"{file.path}: {error}") from error


def sentence(stream: str, rows: StoredRows) -> str:
    """For people: what is missing here, and how it comes back."""
    command = f"trackway pull {shlex.quote(rows.store)} {shlex.quote(rows.run)}"
    return (
        f"rows {rows.first_row} to {rows.next_row - 1} of {stream} lie in {rows.store}: {command} "
        "brings them back"
    )


def sentences(folder: StreamFolder) -> list[str]:
    """One for every stretch that lies elsewhere."""
    return [sentence(folder.name, rows) for rows in stored_rows(folder)]


def _read_notes(folder: StreamFolder) -> Iterator[StoredRows]:
    for file in folder.contents().stored:
        with contextlib.suppress(FileNotFoundError):  # they are just coming back
            yield read_note(file)


def _joined(found: Iterable[StoredRows]) -> Iterator[StoredRows]:
    last: StoredRows | None = None
    for rows in found:
        if last and (last.store, last.run, last.next_row) == (rows.store, rows.run, rows.first_row):
            last = replace(
                last,
                files=(*last.files, *rows.files),
                next_row=rows.next_row,
                size_bytes=last.size_bytes + rows.size_bytes,
            )
            continue
        if last is not None:
            yield last
        last = rows
    if last is not None:
        yield last
