"""The recorder with its writer process."""

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tests.support.segments import NUM_ENVS, SCHEMA, rows
from tests.support.streams import assert_rows

import trackway
from trackway import Field, Recorder, Schema, read, read_records
from trackway.errors import AttemptInUseError, RecordingError
from trackway.storage import ring
from trackway.storage.places import attempts, find_stream
from trackway.storage.reader import Reader, follow
from trackway.storage.segments import load

NAMES = [field.name for field in SCHEMA]


def write(stream, count):
    for _ in range(count):
        columns = rows(stream.committed, 1)
        stream.write({name: column[0] for name, column in zip(NAMES, columns, strict=True)})


@pytest.mark.parametrize("name", ["run", "나의 실험 with spaces"])
def test_what_is_committed_is_read_while_it_is_written_and_after(tmp_path, name):
    run = tmp_path / name
    with Recorder(run) as recorder:
        steps = recorder.stream("steps", SCHEMA, num_envs=NUM_ENVS)
        write(steps, 100)
        assert_rows(read(run, "steps"), range(100))
        write(steps, 50)
        assert recorder.sync()
        assert_rows(read(run, "steps"), range(150))
    assert_rows(read(run, "steps"), range(150))
    folder = find_stream(run, "steps")

    assert not steps.memory.exists()
    assert [file.sealed for file in folder.segments()] == [True]
    assert folder.attempt.writer_log.read_bytes() == b""


def test_the_packed_row_is_the_columns_one_after_another(tmp_path):
    with Recorder(tmp_path) as recorder:
        steps = recorder.stream("steps", SCHEMA, num_envs=NUM_ENVS)
        for number in range(10):
            block = b"".join(column.tobytes() for column in rows(number, 1))
            steps.packed[...] = np.frombuffer(block, np.uint8)
            steps.commit()
    assert_rows(read(tmp_path, "steps"), range(10))


def test_records_of_free_form_come_back(tmp_path):
    given = [
        {"event": "checkpoint", "path": "a/b.zip", "timestep": 1000},
        {"event": "말", "nested": {"list": [1, 2.5, None, True]}, "long": "x" * 5000},
        {"text": ""},
        {},
    ]
    with Recorder(tmp_path) as recorder:
        events = recorder.records("events")
        assert recorder.records("events") is events
        for record in given:
            events.append(record)
        events.append({"array": np.arange(3), "nan": float("nan"), "path": Path("a")})
        assert read_records(tmp_path, "events")[:4] == given
    assert read_records(tmp_path, "events") == [
        *given,
        {"array": [0, 1, 2], "nan": None, "path": "a"},
    ]


def test_records_may_come_from_many_threads(tmp_path):
    with Recorder(tmp_path) as recorder:
        events = recorder.records("events")

        def tell(who):
            for number in range(200):
                events.append({"who": who, "number": number, "filler": "y" * 300})

        threads = [threading.Thread(target=tell, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    told = read_records(tmp_path, "events")

    assert len(told) == 800
    for who in range(4):
        assert [r["number"] for r in told if r["who"] == who] == list(range(200))


def _work(slot, steps, commits, done):
    writer = slot.open()
    for _ in range(steps):
        commits.get()
        writer.row["value"][0] = os.getpid()
        done.put(slot.env)


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_worker_processes_write_their_own_slots(tmp_path, method):
    context = multiprocessing.get_context(method)
    commits, done = [context.Queue() for _ in range(3)], context.Queue()
    schema = Schema(Field("value", "int64"))
    with Recorder(tmp_path) as recorder:
        stream = recorder.stream("steps", schema, num_envs=3)
        workers = [
            context.Process(target=_work, args=(stream.slot(env), 5, commits[env], done))
            for env in range(3)
        ]
        for worker in workers:
            worker.start()
        for _ in range(5):
            for queue in commits:
                queue.put(None)
            for _ in workers:
                done.get()
            stream.commit()
        pids = [worker.pid for worker in workers]
        for worker in workers:
            worker.join()
    assert read(tmp_path, "steps")["value"].tolist() == [pids] * 5


def test_a_tiny_shared_memory_sends_the_ring_into_the_run(tmp_path):
    with Recorder(tmp_path, shared_memory=tmp_path / "none") as recorder:
        steps = recorder.stream("steps", SCHEMA, num_envs=NUM_ENVS)
        assert steps.memory.is_relative_to(tmp_path)
        write(steps, 500)
    assert_rows(read(tmp_path, "steps"), range(500))
    assert not steps.memory.exists()


def test_a_small_ring_makes_training_wait_and_the_wait_is_recorded(tmp_path):
    with Recorder(tmp_path, ring_bytes=1) as recorder:
        steps = recorder.stream("steps", SCHEMA, num_envs=NUM_ENVS)
        write(steps, 200)
    folder = find_stream(tmp_path, "steps")
    told = [f.json() for s in folder.segments() for f in load(s.path).frames if f.kind == 2]

    assert_rows(read(tmp_path, "steps"), range(200))
    assert steps.waited_s > 0
    assert sum(note["seconds"] for note in told if note["note"] == "waited") == pytest.approx(
        steps.waited_s
    )


def test_a_stream_keeps_its_newest_rows_when_that_is_asked_for(tmp_path):
    with Recorder(tmp_path) as recorder:
        steps = recorder.stream("steps", SCHEMA, num_envs=NUM_ENVS, keep_rows=100)
        write(steps, 1000)
    records = read(tmp_path, "steps")

    assert_rows(records, range(1000 - len(records), 1000))
    assert 100 <= len(records) <= 150


def test_records_with_a_limit_keep_the_newest_and_none_of_them_is_torn(tmp_path):
    given = [{"number": number, "text": "x" * (number % 7 * 300)} for number in range(400)]
    with Recorder(tmp_path) as recorder:
        events = recorder.records("events", max_bytes=60_000)
        for record in given:
            events.append(record)
            if len(given) - record["number"] == 100:
                recorder.sync()
    kept = read_records(tmp_path, "events")

    assert kept == given[-len(kept) :]
    assert 20 <= len(kept) < 200
    size = sum(file.path.stat().st_size for file in find_stream(tmp_path, "events").segments())
    assert size <= 1.5 * 60_000


def test_on_a_network_disk_the_ring_lies_elsewhere_and_every_row_is_there(tmp_path, monkeypatch):
    run, local = tmp_path / "run", tmp_path / "local"
    local.mkdir()
    monkeypatch.setattr(ring, "is_local", lambda folder: folder == local)
    monkeypatch.setattr("tempfile.tempdir", str(local))
    with Recorder(run, shared_memory=tmp_path / "none") as recorder:
        steps = recorder.stream("steps", SCHEMA, num_envs=NUM_ENVS)
        write(steps, 100)
        assert steps.memory.is_relative_to(local)
        assert_rows(read(run, "steps"), range(100))
        os.kill(recorder._writer.pid, signal.SIGKILL)
        write(steps, 100)
    assert_rows(read(run, "steps"), range(200))
    assert not steps.memory.exists()


def test_every_commit_is_durable_when_that_is_asked_for(tmp_path):
    with Recorder(tmp_path, sync_s=0) as recorder:
        steps = recorder.stream("steps", SCHEMA, num_envs=NUM_ENVS)
        for number in range(1, 20):
            write(steps, 1)
            folder = find_stream(tmp_path, "steps")
            segments = [load(file.path) for file in folder.segments()]

            assert segments[-1].next_row == number


def test_the_second_to_open_an_attempt_gets_a_clear_error(tmp_path):
    other = f"""
import pathlib, trackway
trackway.Recorder(pathlib.Path({str(tmp_path)!r}), attempt="001-a")
"""
    with Recorder(tmp_path, attempt="001-a"):
        with pytest.raises(AttemptInUseError, match="another process records into"):
            Recorder(tmp_path, attempt="001-a")
        said = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True)

        assert "AttemptInUseError: another process records into" in said.stderr
    with pytest.raises(RecordingError, match="has ended: start the next one"):
        Recorder(tmp_path, attempt="001-a")
    with pytest.raises(RecordingError, match="cannot name an attempt"):
        Recorder(tmp_path, attempt="../001-a")


def test_a_forked_child_does_not_hold_the_attempt_beyond_its_parent(tmp_path):
    code = f"""
import os, pathlib, time, trackway
recorder = trackway.Recorder(pathlib.Path({str(tmp_path)!r}), attempt="001-a")
stream = recorder.stream("steps", trackway.Schema(trackway.Field("x")))
stream.write({{"x": [1.0]}})
if os.fork() == 0:
    time.sleep(30)
    os._exit(0)
os.kill(os.getpid(), 9)
"""
    child = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], start_new_session=True)
    child.wait()
    try:
        folder = find_stream(tmp_path, "steps")
        batches = list(follow(Reader(folder), folder))
    finally:
        os.killpg(child.pid, signal.SIGKILL)

    assert [len(batch) for batch in batches] == [1]


def test_attempts_are_numbered_and_the_latest_is_read(tmp_path):
    for value in (1.0, 2.0):
        with Recorder(tmp_path) as recorder:
            recorder.stream("steps", Schema(Field("x"))).write({"x": [value]})
    first, second = attempts(tmp_path)

    assert (first.name[:4], second.name[:4]) == ("001-", "002-")
    assert read(tmp_path, "steps")["x"].tolist() == [[2.0]]
    assert read(tmp_path, "steps", attempt=first.name)["x"].tolist() == [[1.0]]


def test_streams_that_cannot_be_are_refused_with_a_sentence(tmp_path):
    with Recorder(tmp_path) as recorder:
        recorder.stream("steps", SCHEMA, num_envs=NUM_ENVS)
        with pytest.raises(RecordingError, match="has begun already"):
            recorder.stream("steps", SCHEMA)
        with pytest.raises(RecordingError, match="cannot name a stream"):
            recorder.stream("../steps", SCHEMA)
        with pytest.raises(RecordingError, match="one environment or more"):
            recorder.stream("more", SCHEMA, num_envs=0)
        with pytest.raises(RecordingError, match="keep_rows = 0 would keep nothing"):
            recorder.stream("none", SCHEMA, keep_rows=0)
    with pytest.raises(RecordingError, match="the recorder is closed"):
        recorder.stream("late", SCHEMA)


def test_a_run_that_cannot_be_written_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(RecordingError, match="cannot be recorded into"):
        Recorder(tmp_path / "file" / "run")


def test_a_recorder_without_streams_closes(tmp_path):
    with Recorder(tmp_path):
        pass


def test_a_writer_that_dies_is_started_again_and_said(tmp_path, caplog):
    with Recorder(tmp_path) as recorder:
        steps = recorder.stream("steps", SCHEMA, num_envs=NUM_ENVS)
        write(steps, 10)
        first = recorder._writer.pid
        os.kill(first, signal.SIGKILL)
        write(steps, 10)
        while recorder._writer.pid == first:
            time.sleep(0.01)
        assert recorder.sync()
        write(steps, 10)
    assert_rows(read(tmp_path, "steps"), range(30))
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert "starting another" in caplog.text


def test_a_writer_that_cannot_start_is_one_sentence_and_leaves_the_attempt_free(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    for _ in range(2):
        with pytest.raises(RecordingError, match="did not start: it said nothing"):
            Recorder(tmp_path)
    monkeypatch.setattr(sys, "executable", "/no such python")
    with pytest.raises(RecordingError, match="cannot be recorded into"):
        Recorder(tmp_path)


def test_many_columns_and_many_environments_fit(tmp_path):
    wide = Schema(*(Field(f"column {i}", "float32") for i in range(500)))
    with Recorder(tmp_path) as recorder:
        steps = recorder.stream("wide", wide, 4)
        many = recorder.stream("many", SCHEMA, 4096)
        for number in range(30):
            for column in steps.row.values():
                column[...] = number
            steps.commit()
            many.row["reward"][...] = np.arange(4096) + number
            many.commit()
    assert (read(tmp_path, "wide")["column 499"] == np.arange(30)[:, None]).all()
    expected = np.arange(4096) + np.arange(30)[:, None]
    assert (read(tmp_path, "many", fields=["reward"])["reward"] == expected).all()


def test_the_public_names_are_sorted_and_exist():
    assert sorted(trackway.__all__) == trackway.__all__
    assert all(hasattr(trackway, name) for name in trackway.__all__)
