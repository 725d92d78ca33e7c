from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contracts.sink_contract import SinkContract
from tests.support.clock import FakeClock
from tests.support.faulty_sink import FaultySink

from trackway.files import publish
from trackway.legacy.json_layout import JsonLayout
from trackway.recorder.inbox import Done, WrittenFile

NOW_S = 1_735_700_000.0


class TestJsonLayout(SinkContract):
    comprehensive = False

    def make(self):
        return JsonLayout(FakeClock(NOW_S))

    def told(self, folder: Path):
        recording = {
            "folder": str(folder),
            "zip_folder": str(folder / "zips"),
            "started_unix_s": NOW_S - 60,
            "comprehensive": self.comprehensive,
            "compatibility": {},
        }
        totals = {"timestep": 200, "episodes": 2, "successes": None}
        opening = {
            "kind": "open",
            "recording": recording,
            "environment": {},
            "derivation": None,
            "totals": totals,
        }
        snapshot = {"timestep": 100, "common": {"timestamp": NOW_S}, "nested": None}
        save = {
            "kind": "save",
            "unix_s": NOW_S,
            "metrics": {"timestep": 100},
            "environment": {"timestep": 100, "timestamp": NOW_S},
            "snapshot": {**snapshot, "counts": [1, 1], "successes": None},
        }
        columns = {"robot_state.height": np.array([0.25, np.nan])}
        checkpoint = {
            "kind": "checkpoint",
            "unix_s": NOW_S,
            "zip": None,
            "record": {"timestep": 100, "recovery_info": {}},
        }
        settings = {"kind": "hyperparameters", "unix_s": NOW_S, "record": {"seed": 0}}
        commit = {"kind": "commit", "unix_s": NOW_S + 1}
        return [
            (0, opening, {}),
            (1, settings, {}),
            (2, {"kind": "episodes", "records": [{"number": 1}, {"number": 2}]}, {}),
            (3, save, columns),
            (-1, commit, {}),
            (4, checkpoint, {}),
            (5, {"kind": "episodes", "records": [{"number": 3}]}, {}),
            (-2, {**commit, "unix_s": NOW_S + 2}, {}),
        ]

    def records_in(self, files: dict[str, bytes]):
        # A summary tells its folder, and counts the files of its own writer.
        return {name: data for name, data in files.items() if "summary" not in name}


class TestComprehensiveJsonLayout(TestJsonLayout):
    comprehensive = True


class _OneFileEach:
    """The least that is a sink: each message a file of its own, at once."""

    folder = Path()

    def handle(self, seq: int, message: dict[str, Any], columns: dict[str, Any]) -> Done:
        if "folder" in message:
            self.folder = Path(message["folder"])
            return Done()
        if message.get("kind") == "commit":
            return Done([seq])
        path = self.folder / self.name(seq)
        publish(path, message["text"].encode())
        return Done([seq], [WrittenFile("texts", path, 1)])

    def name(self, seq: int) -> str:
        return f"{seq}.txt"

    def finish(self) -> Done:
        return Done()


class _Doubling(_OneFileEach):
    """A name of its own for each try: what comes again is written again."""

    tries = 0

    def name(self, seq: int) -> str:
        self.tries += 1
        return f"{seq}-{self.tries}.txt"


class _Forgetful(_OneFileEach):
    """Acknowledges before it has written."""

    def handle(self, seq: int, message: dict[str, Any], columns: dict[str, Any]) -> Done:
        try:
            return super().handle(seq, message, columns)
        except OSError:
            return Done([seq])


class TestTheLeast(SinkContract):
    sink = _OneFileEach

    def make(self):
        return self.sink()

    def told(self, folder: Path):
        texts = [(seq, {"text": f"text {seq}"}, {}) for seq in (1, 2, 3)]
        return [(0, {"folder": str(folder)}, {}), *texts, (-1, {"kind": "commit"}, {})]


class TestTheSinkOfTheOutboxTests(TestTheLeast):
    sink = FaultySink

    def test_what_it_calls_written_is_there_and_nothing_else(self, tmp_path):
        pytest.skip("its mark at the end is no file of records")


class _Broken(TestTheLeast):
    __test__ = False

    def __init__(self, sink):
        self.sink = sink


def test_the_contract_finds_what_a_sink_does_wrong(tmp_path):
    with pytest.raises(AssertionError, match="after sync"):
        _Broken(_Doubling).test_after_any_refusal_a_second_try_leaves_what_the_first_would_have(
            tmp_path / "a"
        )
    with pytest.raises(AssertionError):
        _Broken(_Forgetful).test_who_takes_over_from_a_dead_writer_loses_and_doubles_nothing(
            tmp_path / "b"
        )
