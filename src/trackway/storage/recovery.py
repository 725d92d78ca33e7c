"""Going on where a writer that died left off: what is whole stays, what is torn is set aside."""

from __future__ import annotations

from collections.abc import Mapping

from trackway import files
from trackway.clock import Clock
from trackway.errors import FormatError
from trackway.storage.journal import Journal, JournalSpec
from trackway.storage.parts import part_header
from trackway.storage.places import PartFile, SegmentFile, StreamFolder
from trackway.storage.segments import Segment, load


def open_journal(folder: StreamFolder, spec: JournalSpec, clock: Clock) -> Journal:
    """The journal of a stream: a new one, or the one that is there, ready to grow.

    Raises:
        OSError: The disk refused.
    """
    found = folder.contents().files if folder.path.is_dir() else []
    if not found:
        return Journal(folder, spec, clock)
    last = found[-1]
    if isinstance(last, PartFile):
        header = part_header(last.path)
        return begin_after(folder, spec, clock, header.next_row if header else 0)
    segments = folder.segments()
    segment = _load(last)
    if segment is None:
        return _after_lost_header(folder, spec, clock, segments)
    if segment.seal is not None and not last.sealed:
        # Everything was written and synced; only the name was still to come.
        files.rename(last.path, folder.sealed_segment(last.number))
    if segment.seal is not None or last.sealed:
        return begin_after(folder, spec, clock, segment.next_row)
    cut = set_torn_aside(folder, segment)
    journal = Journal.adopt(folder, spec, clock, segment)
    journal.note({"note": "resumed", "at": journal.next_row, "cut": cut})
    # What the one before wrote may not have been synced.
    journal.sync()
    return journal


def begin_after(folder: StreamFolder, spec: JournalSpec, clock: Clock, next_row: int) -> Journal:
    """A new segment after all that are there, beginning with row `next_row`.

    Its digests continue those of the last sealed segment.
    """
    found = folder.contents().files if folder.path.is_dir() else []
    digests = (_digests(file) for file in reversed(found))
    return Journal(
        folder,
        spec,
        clock,
        number=found[-1].last + 1 if found else 0,
        next_row=next_row,
        previous=next((known for known in digests if known), {}),
    )


def set_torn_aside(folder: StreamFolder, segment: Segment) -> int:
    """Keep a copy of the bytes after the last whole frame, unless all are zero.

    Returns:
        How many they are.
    """
    if segment.torn_bytes:
        with segment.path.open("rb") as file:
            file.seek(segment.end)
            torn = file.read()
        if any(torn):
            files.publish(folder.torn(segment.path, segment.end), torn)
    return segment.torn_bytes


def _after_lost_header(
    folder: StreamFolder, spec: JournalSpec, clock: Clock, segments: list[SegmentFile]
) -> Journal:
    last = segments[-1]
    if not last.sealed:
        # The header is durable before any row is written: there was none.
        files.rename(last.path, folder.torn(last.path, 0))
        return open_journal(folder, spec, clock)
    before = [segment for segment in map(_load, segments) if segment is not None]
    return begin_after(folder, spec, clock, max((s.next_row for s in before), default=0))


def _digests(file: PartFile | SegmentFile) -> Mapping[str, str]:
    """Of everything up to a finished file's end; none of one that is not finished or not whole."""
    if isinstance(file, PartFile):
        header = part_header(file.path)
        return header.digests if header else {}
    segment = _load(file) if file.sealed else None
    seal = segment.seal if segment else None
    return seal["digests"] if seal else {}


def _load(segment: SegmentFile) -> Segment | None:
    try:
        return load(segment.path)
    except FormatError:
        return None
