"""What became of the messages of an outbox: counted here, and said once where something went wrong."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_log = logging.getLogger("trackway")


@dataclass(frozen=True)
class Delivery:
    """What became of the messages so far."""

    files: Mapping[str, int] = field(default_factory=dict)  # per kind
    records: Mapping[str, int] = field(default_factory=dict)  # per kind
    failures: int = 0  # writes that the disk refused, each tried again; checkpoints not taken
    lost_records: int = 0
    waiting_messages: int = 0
    restarts: int = 0  # writer processes that died
    waited_s: float = 0.0  # how long training stood still because the disk was slow
    trouble: str | None = None  # the failure that has not gone away yet
    last: Mapping[str, Path] = field(default_factory=dict)  # the newest file of each kind


class Ledger:
    """Counts as messages go by; its attributes are those of `Delivery`. One thread at a time.

    Args:
        limit_bytes: Memory for messages that wait, told to whoever reads of trouble.

    Attributes:
        lost: Numbers of the messages that are gone for good.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._files: Counter[str] = Counter()
        self._records: Counter[str] = Counter()
        self._last: dict[str, Path] = {}
        self._said: set[str] = set()
        self.lost: set[int] = set()
        self.failures = self.lost_records = self.restarts = 0
        self.waited_s = 0.0
        self.trouble: str | None = None

    def delivery(self, waiting_messages: int) -> Delivery:
        """How things stand now, for others to keep."""
        return Delivery(
            files=dict(self._files),
            records=dict(self._records),
            failures=self.failures,
            lost_records=self.lost_records,
            waiting_messages=waiting_messages,
            restarts=self.restarts,
            waited_s=self.waited_s,
            trouble=self.trouble,
            last=dict(self._last),
        )

    def written(self, files: Iterable[tuple[str, str, int]]) -> None:
        """These are on disk: kind, path, records. So the disk takes files."""
        for kind, path, records in files:
            self._files[kind] += 1
            self._records[kind] += records
            self._last[kind] = Path(path)
        if self.trouble is not None:
            self.trouble = None
            self._said.discard("trouble")
            _log.warning("writing works again")

    def trouble_is(self, what: str) -> None:
        """Nothing can be written; it is tried again."""
        self.trouble = what
        self._say_once(
            "trouble",
            "recording cannot write: %s; training goes on, the records wait in memory (up to %d MB) "
            "and are tried again",
            what,
            self._limit_bytes >> 20,
        )

    def reject(self, what: str) -> None:
        """A message can never be written."""
        self._say_once(what, "a record could not be written: %s", what)

    def lose(self, seq: int, records: int) -> None:
        """A message is gone, and the records in it."""
        self.lost.add(seq)
        self.lost_records += records
        if records:
            self._say_once("lost", "records are being lost: %s", self.trouble or "no room")

    def _say_once(self, key: str, text: str, *facts: Any) -> None:
        if key not in self._said:
            self._said.add(key)
            _log.warning(text, *facts)
