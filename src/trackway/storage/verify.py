"""What is there, what was cut and where: every byte of a stream looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from trackway import files
from trackway.errors import FormatError
from trackway.format import pieces
from trackway.format.segment import NOTE, SegmentHeader, encode_note, encode_seal, split
from trackway.storage import ring
from trackway.storage.places import StreamFolder
from trackway.storage.segments import Segment, load


@dataclass
class Report:
    """How a stream stands.

    Attributes:
        faults: What is not as it was committed, and where; empty when everything is whole.
        gaps: Rows that are missing, as (first, count), and why, as far as a note tells.
        records: Of a stream of JSON, those that end in its journal; rows are their pieces.
        in_ring: Rows that lie in the ring only.
        digests: By field, of everything up to the last sealed segment.
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
    report = Report(folder.attempt.name, folder.name)
    report.recording = files.is_locked(folder.attempt.lock)
    source = ring.find_ring(folder.ring_pointer)
    limited_to = next_row = 0
    begun = False
    for file in folder.segments():
        report.segments += 1
        report.sealed += file.sealed
        report.size_bytes += file.path.stat().st_size
        try:
            segment = load(file.path)
        except FormatError as error:
            report.faults.append(str(error))
            continue
        _describe(report, segment.header)
        # A writer may be in the middle of the last segment just now.
        busy = source is not None and not file.sealed
        report.faults += [] if busy else _faults(segment, file.sealed)
        for frame in segment.frames:
            if frame.kind == NOTE:
                note = frame.json()
                report.notes.append({"row": frame.first_row, **note})
                if note["note"] == "limited":
                    limited_to = max(limited_to, note["first"] + note["count"])
        if segment.header.kind == pieces.KIND:
            report.records = (report.records or 0) + _records(segment)
        for frame in segment.rows:
            if not begun:
                begun, report.first_row = True, frame.first_row
                next_row = frame.first_row
                if frame.first_row > 0:
                    report.gaps.append({"first": 0, "count": frame.first_row})
            if frame.first_row > next_row:
                report.gaps.append({"first": next_row, "count": frame.first_row - next_row})
            report.rows += max(0, frame.first_row + frame.count - max(next_row, frame.first_row))
            next_row = max(next_row, frame.first_row + frame.count)
        if segment.seal is not None:
            report.digests = segment.seal["digests"]
    if source is not None:
        _describe(report, source.spec)
        report.in_ring = max(0, source.head - next_row)
    # Rows that went by the stream's own limit are not missed.
    report.gaps = [gap for gap in report.gaps if gap["first"] + gap["count"] > limited_to]
    _explain(report)
    return report


def _describe(report: Report, told: SegmentHeader | ring.RingSpec) -> None:
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
    done: list[str] = []
    if files.is_locked(folder.attempt.lock) or ring.find_ring(folder.ring_pointer) is not None:
        return done
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
