"""What every sink must do; a new one gets these tests by subclassing."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest

from trackway.recorder.inbox import Done, Sink

Told = tuple[int, dict[str, Any], dict[str, Any]]


class _Disk:
    """Refuses one sync, the n-th; counts them all."""

    def __init__(self, patch: pytest.MonkeyPatch, refuse: int = 0) -> None:
        self.syncs, self._refuse, self._plain = 0, refuse, os.fsync
        patch.setattr(os, "fsync", self._sync)

    def _sync(self, handle: int) -> None:
        self.syncs += 1
        if self.syncs == self._refuse:
            raise OSError(28, "No space left on device")
        self._plain(handle)


class SinkContract:
    """Subclass it, name the class `Test…`, and say how to make the sink and what it is told."""

    def make(self) -> Sink:
        """A new sink, as a new writer process has it."""
        raise NotImplementedError

    def told(self, folder: Path) -> list[Told]:
        """Messages of a whole recording into `folder`: number, message, columns.

        The first is the one that opens it; numbers of commits are negative, as the outbox has them.
        """
        raise NotImplementedError

    # -- what a training does to a sink ---------------------------------------------------------

    def deliver(self, sink: Sink, messages: list[Told], acknowledged: list[int]) -> list[Done]:
        """Handle them in turn; raises what the sink raises."""
        done = []
        for seq, message, columns in messages:
            done.append(sink.handle(seq, message, columns))
            acknowledged += done[-1].seqs
        return done

    def recorded(self, folder: Path) -> dict[str, bytes]:
        """What stands in a folder after an undisturbed recording."""
        sink = self.make()
        self.deliver(sink, self.told(folder), [])
        sink.finish()
        return content(folder)

    # -- the contract ---------------------------------------------------------------------------

    def test_every_message_is_acknowledged_once(self, tmp_path):
        sink, acknowledged = self.make(), []
        opening, *messages = self.told(tmp_path / "it")
        self.deliver(sink, [opening, *messages], acknowledged)
        acknowledged += sink.finish().seqs

        assert sorted(acknowledged) == sorted(seq for seq, *_ in messages)

    def test_what_it_calls_written_is_there_and_nothing_else(self, tmp_path):
        sink = self.make()
        done = self.deliver(sink, self.told(tmp_path / "it"), [])
        files = [file for one in [*done, sink.finish()] for file in one.files]

        assert all(file.path.is_file() and file.records >= 0 and file.kind for file in files)
        assert {file.path for file in files} == {
            path for path in tmp_path.rglob("*") if path.is_file()
        }

    def test_what_was_held_back_is_written_at_the_end_and_only_once(self, tmp_path):
        messages = self.told(tmp_path / "it")
        sink, acknowledged = self.make(), []
        self.deliver(sink, messages[:-1], acknowledged)
        acknowledged += sink.finish().seqs
        before = content(tmp_path)
        sink.finish()

        assert set(acknowledged) >= {seq for seq, *_ in messages[1:-1]}
        assert content(tmp_path) == before != {}

    def test_after_any_refusal_a_second_try_leaves_what_the_first_would_have(self, tmp_path):
        whole = self.recorded(tmp_path / "whole")
        for refuse in range(1, self._syncs(tmp_path) + 1):
            folder = tmp_path / str(refuse)
            sink = self.make()
            with pytest.MonkeyPatch.context() as patch:
                _Disk(patch, refuse)
                for seq, message, columns in self.told(folder):
                    try:
                        sink.handle(seq, message, columns)
                    except OSError:
                        sink.handle(seq, message, columns)
                try:
                    sink.finish()
                except OSError:
                    sink.finish()

            found = content(folder)
            assert found.keys() == whole.keys(), f"after sync {refuse} was refused"
            assert self.records_in(found) == self.records_in(whole)

    def test_who_takes_over_from_a_dead_writer_loses_and_doubles_nothing(self, tmp_path):
        whole = self.recorded(tmp_path / "whole")
        for dies_at in range(1, self._syncs(tmp_path) + 1):
            folder, acknowledged = tmp_path / str(dies_at), []
            opening, *messages = self.told(folder)
            with pytest.MonkeyPatch.context() as patch, contextlib.suppress(OSError):
                _Disk(patch, dies_at)
                self.deliver(self.make(), [opening, *messages], acknowledged)
            # Here it died; what it had not acknowledged comes again.
            again = [told for told in messages if told[0] not in acknowledged]
            successor = self.make()
            self.deliver(successor, [opening, *again], acknowledged)
            successor.finish()

            assert self.records_in(content(folder)) == self.records_in(whole), dies_at

    def records_in(self, files: dict[str, bytes]) -> Any:
        """What must survive a writer; by default every file as it is."""
        return files

    def _syncs(self, tmp_path: Path) -> int:
        with pytest.MonkeyPatch.context() as patch:
            disk = _Disk(patch)
            self.recorded(tmp_path / "counted")
        assert disk.syncs > 0
        return disk.syncs


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
