"""Find a row in a segment without reading it: frames can be told by their checksums from anywhere."""

from __future__ import annotations

from typing import BinaryIO, Final

from trackway.format.segment import FRAME_BYTES, FRAME_MAGIC, read_frame_head

_BLOCK_BYTES: Final = 1 << 16


def offset_of(file: BinaryIO, start: int, end: int, salt: int, row: int) -> int:
    """Where to begin reading for `row`: a frame's beginning, at it or not far before.

    Args:
        file: A segment.
        start: Where its frames begin.
        end: Where the file ends, or did a moment ago.
        salt: Of its frames' checksums.
        row: The number of the row wanted.
    """
    while end - start > _BLOCK_BYTES:
        middle = (start + end) // 2
        found = _next_frame(file, middle, end, salt)
        if found is None or found[1] > row:
            end = middle
        else:
            start = found[0]
    return start


def _next_frame(file: BinaryIO, start: int, end: int, salt: int) -> tuple[int, int] | None:
    """Offset and first row of the first frame that begins in `start` … `end`."""
    while start < end:
        file.seek(start)
        data = file.read(_BLOCK_BYTES + FRAME_BYTES)
        at = data.find(FRAME_MAGIC)
        while 0 <= at < _BLOCK_BYTES and start + at < end:
            head = read_frame_head(data, at, salt)
            if head is not None:
                return start + at, head.first_row
            at = data.find(FRAME_MAGIC, at + 1)
        start += _BLOCK_BYTES
    return None
