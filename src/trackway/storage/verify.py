"""What is there, what was cut and where: every byte of a stream looked at."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np

from trackway import files
from trackway.errors import FormatError, StreamError
from trackway.format import pieces
from trackway.format.part import EXACT, PartHeader
from trackway.format.segment import NOTE, SegmentHeader, encode_note, encode_seal, split
from trackway.format.stored import StoredRows
from trackway.storage import ring
from trackway.storage.cursor import runs
from trackway.storage.parts import open_part
from trackway.storage.places import PartFile, StoredFile, StreamFolder
from trackway.storage.segments import Segment, load
from trackway.storage.stored import read_note, sentences

_TRIES: Final = 20


@dataclass
class Report:
    """How a stream stands.

    Attributes:
        faults: What is not as it was committed, and where; empty when everything is whole.
        gaps: Rows that are missing, as (first, count), and why, as far as a note tells.
        records: Of a stream of JSON, those that end in its files; rows are their pieces.
        in_ring: Rows that lie in the ring only.
        parts: How many of the segments' successors in the archive there are.
        stored: Rows that a store has and this machine has not, and how they come back, a sentence each.
        tier: How exactly the archive keeps values; `exact` where there is none.
        digests: By field, of everything up to the last sealed segment, as it was recorded.
    """

    attempt: str
    stream: str
    kind: str = ""
    num_envs: int = 0
    fields: int = 0
    rows: int = 0
    records: int | None = None
    first_row: int = 0
    segments: int = 0
    sealed: int = 0
    parts: int = 0
    stored: list[str] = field(default_factory=list)
    tier: str = EXACT
    size_bytes: int = 0
    in_ring: int = 0
    recording: bool = False
    faults: list[str] = field(default_factory=list)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        return not self.faults and not self.gaps

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"whole": self.whole}


def verify(folder: StreamFolder) -> Report:
    """Read all of a stream and check it against its checksums, seals and digests."""
    for _ in range(_TRIES):
        with contextlib.suppress(FileNotFoundError):  # it became a part meanwhile
            return _verify(folder)
    raise StreamError(f"{folder.path} changes all the time: verify it again")


def _verify(folder: StreamFolder) -> Report:
    report = Report(folder.attempt.name, folder.name)
    report.recording = files.is_locked(folder.attempt.lock)
    source = ring.find_ring(folder.ring_pointer)
    tally = _Tally(report)
    contents = folder.contents()
    report.stored = sentences(folder)
    for file in sorted([*contents.files, *contents.stored], key=lambda file: file.number):
        report.size_bytes += file.path.stat().st_size
        try:
            if isinstance(file, StoredFile):
                tally.pass_over(read_note(file))
            elif isinstance(file, PartFile):
                report.parts += 1
                _look_at_part(file, report, tally)
            else:
                report.segments += 1
                report.sealed += file.sealed
                # A writer may be in the middle of the last segment just now.
                busy = source is not None and not file.sealed
                _look_at_segment(load(file.path), file.sealed, busy, report, tally)
        except FormatError as error:
            report.faults.append(str(error))
    if source is not None:
        _describe(report, source.spec)
        report.in_ring = max(0, source.head - tally.next_row)
    # Rows that went by the stream's own limit are not missed.
    limited = [n["first"] + n["count"] for n in report.notes if n["note"] == "limited"]
    limited_to = max(limited, default=0)
    report.gaps = [gap for gap in report.gaps if gap["first"] + gap["count"] > limited_to]
    # Nor those that a policy let go.
    report.gaps = [gap for gap in report.gaps if not _let_go(gap, report.notes)]
    _explain(report)
    return report


class _Tally:
    """Counts rows, once each, and finds those that are missing."""

    def __init__(self, report: Report) -> None:
        self._report, self._begun = report, False
        self.next_row = 0

    def take(self, first: int, count: int) -> None:
        report, end = self._report, first + count
        if not self._begun:
            self._begun, report.first_row = True, first
        if first > self.next_row:
            self._miss(first)
        report.rows += max(0, end - max(self.next_row, first))
        self.next_row = max(self.next_row, end)

    def pass_over(self, rows: StoredRows) -> None:
        """Rows that are not missing, but elsewhere."""
        if rows.first_row > self.next_row:
            self._miss(rows.first_row)
        self.next_row = max(self.next_row, rows.next_row)

    def _miss(self, end: int) -> None:
        self._report.gaps.append({"first": self.next_row, "count": end - self.next_row})


def _look_at_segment(
    segment: Segment, sealed: bool, busy: bool, report: Report, tally: _Tally
) -> None:
    _describe(report, segment.header)
    report.faults += [] if busy else _faults(segment, sealed)
    for frame in segment.frames:
        if frame.kind == NOTE:
            report.notes.append({"row": frame.first_row, **frame.json()})
    if segment.header.kind == pieces.KIND:
        report.records = (report.records or 0) + _records(segment)
    for frame in segment.rows:
        tally.take(frame.first_row, frame.count)
    if segment.seal is not None:
        report.digests = segment.seal["digests"]


def _look_at_part(file: PartFile, report: Report, tally: _Tally) -> None:
    with open_part(file.path) as part:
        header = part.header
        _describe(report, header)
        report.notes += [dict(note) for note in header.notes]
        report.digests, report.tier = dict(header.digests), header.tier
        wrong, damaged = part.wrong_fields()
        report.faults += damaged
        if wrong:
            report.faults.append(
                f"{file.path.name}: {', '.join(wrong)} do not have the digests of their seals"
            )
        if header.kind == pieces.KIND:
            (flags,) = part.values(["flags"], slice(0, header.rows))
            ends = int(np.count_nonzero(flags & pieces.LAST))
            report.records = (report.records or 0) + ends
        for first, count in runs(part.rows, header.rows):
            tally.take(first, count)


def _let_go(gap: dict[str, Any], notes: list[dict[str, Any]]) -> bool:
    end = gap["first"] + gap["count"]
    return any(
        note["note"] == "thinned"
        and note["first"] <= gap["first"]
        and end <= note["first"] + note["count"]
        for note in notes
    )


def _describe(report: Report, told: SegmentHeader | PartHeader | ring.RingSpec) -> None:
    report.kind, report.num_envs, report.fields = told.kind, told.num_envs, len(told.schema)


def _records(segment: Segment) -> int:
    header = segment.header
    flags = (split(header.schema, header.num_envs, frame)["flags"] for frame in segment.rows)
    return sum(int(np.count_nonzero(some & pieces.LAST)) for some in flags)


def _faults(segment: Segment, sealed: bool) -> list[str]:
    name = segment.path.name
    faults = [
        f"{name}: bytes {damage.start} to {damage.end - 1} are damaged"
        for damage in segment.damage
        if damage.end < segment.size or sealed
    ]
    if segment.torn_bytes and not sealed:
        faults.append(f"{name}: a torn tail of {segment.torn_bytes} bytes at {segment.end} is cut")
    if segment.seal is None:
        faults.append(f"{name}: {'the seal is missing' if sealed else 'it was never sealed'}")
    elif segment.seal["digests"] != segment.digests().hex():
        faults.append(f"{name}: its rows do not have the digests of its seal")
    return faults


def _explain(report: Report) -> None:
    for gap in report.gaps:
        for note in report.notes:
            if (
                note["note"] == "gap"
                and note["first"] < gap["first"] + gap["count"]
                and (gap["first"] < note["first"] + note["count"])
            ):
                gap["reason"] = note["reason"]
    report.gaps += [
        {"first": note["row"], "count": note["count"], "reason": note["reason"]}
        for note in report.notes
        if note["note"] == "discarded"
    ]


def repair(folder: StreamFolder) -> list[str]:
    """Make every segment of a stream whole again; what could not be read is kept beside it.

    Nothing is done to a stream that is being recorded. A damaged segment is renamed, a new one
    takes its name with the frames that are whole, and a note says what was cut.

    Returns:
        What was done, a sentence each.
    """
    if files.is_locked(folder.attempt.lock) or ring.find_ring(folder.ring_pointer) is not None:
        return []
    held = files.lock(folder.attempt.archive_lock)
    if held is None:
        return []  # it is being compacted
    try:
        return _repair(folder)
    finally:
        held.release()


def _repair(folder: StreamFolder) -> list[str]:
    done: list[str] = []
    for file in folder.segments():
        try:
            segment = load(file.path)
        except FormatError:
            kept = folder.damaged(file.path)
            files.rename(file.path, kept)
            done.append(f"{file.path.name} has no readable header: set aside as {kept.name}")
            continue
        if not _faults(segment, file.sealed):
            continue
        sealed = folder.sealed_segment(file.number)
        kept = folder.damaged(file.path)
        lost = segment.size - sum(frame.end - frame.start for frame in segment.frames)
        whole = _rebuilt(segment, lost - segment.opening.size)
        # Should the power go in between, the next repair finds the whole one already there.
        if file.path == sealed:
            files.publish(kept, file.path.read_bytes())
            files.publish(sealed, whole)
        else:
            files.publish(sealed, whole)
            files.rename(file.path, kept)
        done.append(f"{file.path.name} was made whole as {sealed.name}; the old is {kept.name}")
    return done


def _rebuilt(segment: Segment, cut_bytes: int) -> bytes:
    salt, data = segment.opening.salt, segment.path.read_bytes()
    parts = [data[: segment.opening.size]]
    # Its own seal spoke of what is there no more.
    kept = segment.frames[:-1] if segment.seal is not None else segment.frames
    parts += [data[frame.start : frame.end] for frame in kept]
    if cut_bytes > 0:
        parts.append(encode_note(salt, segment.next_row, {"note": "repaired", "cut": cut_bytes}))
    rows = sum(frame.count for frame in segment.rows)
    parts.append(encode_seal(salt, segment.next_row, rows, segment.digests().hex()))
    return b"".join(parts)
