"""The outbox with real writer processes; `tests.support.faulty_sink` fails as it is told to."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trackway.recorder.outbox import Outbox

ROOT = Path(__file__).parents[4]


@pytest.fixture
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outbox]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    box = make(tmp_path)
    yield box
    box.close(0.1)


def make(folder: Path, **arguments) -> Outbox:
    return Outbox("tests.support.faulty_sink", {"folder": str(folder)}, **arguments)


def until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def texts(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.txt") if path.stem != "finished")


def test_what_is_put_is_on_disk_after_a_wait(outbox, tmp_path):
    for text in "abc":
        outbox.put({"text": text}, records=1)

    assert outbox.wait(timeout_s=30)
    assert texts(tmp_path) == ["a", "b", "c"]
    assert outbox.delivery.records == {"texts": 3}
    assert outbox.delivery.last["texts"] == tmp_path / "c.txt"


def test_the_writer_is_nice_and_out_of_reach_of_the_terminal(outbox):
    outbox.put({"text": "a"}, records=1)
    assert outbox.wait(timeout_s=30)

    assert os.getpriority(os.PRIO_PROCESS, outbox.writer_pid) == 19
    assert os.getpgid(outbox.writer_pid) != os.getpgid(0)
    os.kill(outbox.writer_pid, signal.SIGINT)
    os.kill(outbox.writer_pid, signal.SIGTERM)
    outbox.put({"text": "b"}, records=1)
    assert outbox.wait(timeout_s=30)
    assert outbox.delivery.restarts == 0


def test_closing_lets_the_writer_finish(outbox, tmp_path):
    outbox.put({"text": "a"}, records=1)
    delivery = outbox.close(30)

    assert delivery.lost_records == 0
    assert (tmp_path / "finished.txt").exists()


def test_a_writer_that_dies_is_replaced_and_nothing_is_lost(outbox, tmp_path):
    outbox.put({"text": "held", "hold": True}, records=1)  # received, not confirmed
    for text, dies in (("a", False), ("b", True), ("c", False)):
        outbox.put({"text": text, "dies": dies}, records=1)

    until(lambda: len(outbox.delivery.records) and outbox.delivery.records["texts"] == 3)
    assert texts(tmp_path) == ["a", "b", "c"]
    assert outbox.delivery.restarts == 1
    assert outbox.delivery.waiting_messages == 1  # the held one is still ours


def test_a_writer_that_is_killed_while_idle_is_replaced(outbox):
    outbox.put({"text": "held", "hold": True}, records=1)
    until(lambda: outbox.writer_pid is not None)
    first = outbox.writer_pid
    os.kill(first, signal.SIGKILL)

    until(lambda: outbox.writer_pid != first)


def test_a_disk_that_refuses_is_said_once_and_tried_again(outbox, tmp_path, caplog):
    refuse = tmp_path / "refuse"
    refuse.touch()
    with caplog.at_level(logging.WARNING):
        for text in "abc":
            outbox.put({"text": text}, records=1)
        until(lambda: outbox.delivery.failures >= 3)
        assert "No space left" in outbox.delivery.trouble
        refuse.unlink()

        assert outbox.wait(timeout_s=30)

    assert texts(tmp_path) == ["a", "b", "c"]
    assert outbox.delivery.trouble is None
    assert [record.message for record in caplog.records if "No space left" in record.message] == [
        caplog.records[0].message
    ]


def test_memory_is_bounded_while_the_disk_refuses_and_the_oldest_go(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "refuse").touch()
    box = make(tmp_path, limit_bytes=50_000)
    first = box.put({"text": "first"}, records=1)
    until(lambda: box.delivery.trouble is not None)
    # Large enough that the connection cannot take them: they wait in the trainer.
    for i in range(40):
        box.put({"text": f"{i}", "padding": bytes(10_000)}, records=1)

    lost = box.delivery.lost_records
    (tmp_path / "refuse").unlink()
    assert box.wait(first, timeout_s=30)
    delivery = box.close(30)

    assert 0 < lost < 40
    assert delivery.lost_records == lost
    assert delivery.records["texts"] == 41 - lost
    assert "39" in texts(tmp_path)  # the newest stayed
    assert "records are being lost" in caplog.text


def test_a_working_but_slow_writer_makes_the_trainer_wait_instead(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    box = make(tmp_path, limit_bytes=50_000)
    for i in range(40):  # faster than any writer starts
        box.put({"text": f"{i}", "padding": bytes(10_000)}, records=1)
    delivery = box.close(30)

    assert delivery.lost_records == 0
    assert delivery.records["texts"] == 40
    assert delivery.waited_s > 0


def test_a_record_that_cannot_be_written_costs_no_other(outbox, tmp_path, caplog):
    outbox.put({"text": "x", "nonsense": True}, records=1)
    outbox.put({"text": "a"}, records=1)

    assert outbox.wait(timeout_s=30)
    assert texts(tmp_path) == ["a"]
    assert outbox.delivery.lost_records == 1
    assert "this record is no record" in caplog.text


def test_closing_gives_up_in_time_and_says_what_is_lost(outbox, tmp_path, caplog):
    (tmp_path / "refuse").touch()
    outbox.put({"text": "a"}, records=7)
    until(lambda: outbox.delivery.trouble is not None)

    delivery = outbox.close(0.2)
    (tmp_path / "refuse").unlink()

    assert delivery.lost_records == 7
    assert texts(tmp_path) == []
    assert "records are being lost" in caplog.text


def test_a_writer_that_always_dies_is_trouble_and_not_a_storm(outbox, caplog):
    outbox.put({"text": "a", "always_dies": True}, records=1)

    until(lambda: outbox.delivery.trouble is not None)

    assert "dies again and again" in caplog.text
    assert outbox.delivery.restarts < 10


def end_a_program(folder: Path, then: str, within_s: float = 30.0) -> tuple[int, str]:
    """One that puts a, b and c into an outbox, and then does that: its status, and what it says."""
    program = (
        "from trackway.recorder import outbox\n"
        f"outbox._AT_EXIT_S = {within_s}\n"
        f"box = outbox.Outbox('tests.support.faulty_sink', {{'folder': {str(folder)!r}}})\n"
        "for text in 'abc':\n"
        "    box.put({'text': text}, records=1)\n"
        f"{then}\n"
    )
    said = folder / "said"  # not a pipe: the writer outlives the program
    with said.open("w") as file:
        command, env = [sys.executable, "-c", program], {**os.environ, "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(command, env=env, stderr=file, timeout=60)
    return ended.returncode, said.read_text()


@pytest.mark.parametrize(
    "death", ["raise ValueError('diverged')", "raise KeyboardInterrupt", "raise SystemExit(3)"]
)
def test_what_waits_when_a_program_dies_by_an_exception_is_delivered(death, tmp_path):
    status, said = end_a_program(tmp_path, death)

    assert status != 0
    assert texts(tmp_path) == ["a", "b", "c"]
    assert "not on disk" not in said


def test_a_program_that_ends_says_what_it_could_not_deliver(tmp_path):
    refuse = tmp_path / "refuse"
    refuse.touch()
    put = "box.put({'text': 'd'}, records=4)"
    _, said = end_a_program(tmp_path, f"{put}\nraise ValueError('diverged')", within_s=3.0)
    refuse.unlink()

    assert "the program ends, and 7 records are not on disk: " in said
    assert "No space left" in said
    until(lambda: texts(tmp_path) == ["a", "b", "c", "d"])  # the writer went on


def test_a_closed_outbox_is_not_asked_again_when_the_program_ends(tmp_path):
    (tmp_path / "refuse").touch()
    status, said = end_a_program(tmp_path, "box.close(0.1)")

    assert status == 0
    assert "the program ends" not in said


def test_a_forked_process_waits_for_nothing_of_its_parents(tmp_path):
    put = "box.put({'text': 'd', 'hold': True}, records=1)"
    fork = "import os\nif not (child := os.fork()): raise SystemExit(3)\nos.waitpid(child, 0)"
    _, said = end_a_program(tmp_path, f"{put}\n{fork}", within_s=1.0)

    assert said.count("the program ends") == 1
