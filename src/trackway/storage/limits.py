"""How much of a stream is kept: a flight recorder keeps the last minutes."""

from __future__ import annotations

from dataclasses import dataclass

from trackway.errors import RecordingError


@dataclass(frozen=True)
class Limits:
    """What a stream keeps; None is everything. The oldest segments go first, always whole.

    Attributes:
        max_bytes: At most about this much on the disk.
        keep_rows: The newest so many rows, and at most a segment more.
        keep_s: What was committed in the last so many seconds, and at most a segment more.
    """

    max_bytes: int | None = None
    keep_rows: int | None = None
    keep_s: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not value > 0:
                raise RecordingError(f"{name} = {value} would keep nothing: give more than 0")

    @property
    def any(self) -> bool:
        return self != Limits()

    def segment_rows(self, row_bytes: int, segment_bytes: int) -> int:
        """Rows of a segment of about `segment_bytes`, or of a quarter of what is kept."""
        if self.max_bytes is not None:
            segment_bytes = min(segment_bytes, self.max_bytes // 4)
        rows = segment_bytes // row_bytes
        if self.keep_rows is not None:
            rows = min(rows, self.keep_rows // 4)
        return max(1, rows)

    def exceeded(self, kept_bytes: int, newer_rows: int, age_s: float) -> bool:
        """Whether the oldest segment should go.

        Args:
            kept_bytes: All that is on the disk, the oldest segment included.
            newer_rows: Rows after it.
            age_s: Since its last row, at least.
        """
        return (
            (self.max_bytes is not None and kept_bytes > self.max_bytes)
            or (self.keep_rows is not None and newer_rows >= self.keep_rows)
            or (self.keep_s is not None and age_s >= self.keep_s)
        )
