"""The recorder on a disk that is full, read-only or taken away: training goes on, the gap is told."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from tests.support.segments import NUM_ENVS, SCHEMA, rows
from tests.support.streams import assert_rows

from trackway import Recorder, read
from trackway.errors import AttemptInUseError, RecordingError
from trackway.storage.places import find_stream
from trackway.storage.reader import Reader
from trackway.storage.segments import load
from trackway.storage.verify import verify

NAMES = [field.name for field in SCHEMA]


def write(stream, count):
    for _ in range(count):
        columns = rows(stream.committed, 1)
        stream.write({name: column[0] for name, column in zip(NAMES, columns, strict=True)})


def test_a_full_disk_never_stops_training_and_the_gap_is_recorded_once_there_is_space(tmp_path):
    """The writer may write 200 kB to a file, as if the disk were full then; later it may again."""
    code = f"""
import logging, pathlib, resource, signal, time
import trackway
logging.basicConfig(format="%(message)s")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
run = pathlib.Path({str(tmp_path)!r})
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, unlimited[1]))
recorder = trackway.Recorder(run, ring_bytes=40_000, shared_memory=run / "none")
stream = recorder.stream("steps", trackway.Schema(trackway.Field("x", shape=(100,))))
while stream.lost == 0 or stream.committed < 1000:
    stream.row["x"][...] = stream.committed
    stream.commit()
    time.sleep(0.0005)
time.sleep(0.3)
resource.prlimit(recorder._writer.pid, resource.RLIMIT_FSIZE, unlimited)
while stream.failing:
    time.sleep(0.01)
stream.write({{"x": [[-1.0] * 100]}})
recorder.close()
print(stream.committed, stream.lost)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    committed, lost = map(int, done.stdout.split())
    records = read(tmp_path, "steps")
    folder = find_stream(tmp_path, "steps")
    told = [f.json() for s in folder.segments() for f in load(s.path).frames if f.kind == 2]

    assert done.stderr.count("training goes on") == 1
    assert "File too large" in done.stderr
    assert f"{lost} rows were lost (" in done.stderr
    assert lost > 0
    assert len(records) + lost == committed
    # A note may fit where rows do not: then there are several, side by side.
    assert sum(note["count"] for note in told if note["note"] == "gap") == lost
    assert (records["x"][:-1, 0, 0] == records.rows[:-1]).all()
    assert records["x"][-1, 0, 0] == -1.0


def test_a_run_folder_deleted_under_the_recorder_is_made_again(tmp_path):
    run = tmp_path / "run"
    with Recorder(run) as recorder:
        steps = recorder.stream("steps", SCHEMA, NUM_ENVS)
        write(steps, 20)
        assert recorder.sync()
        shutil.rmtree(run)
        write(steps, 20)
        while steps.undrained:
            write(steps, 1)
            time.sleep(0.05)
    assert_rows(read(run, "steps"), range(20, steps.committed))
    assert steps.lost == 0
    assert steps.waited_s == 0


def test_a_folder_that_was_deleted_is_restored_for_a_new_writer(tmp_path):
    run = tmp_path / "run"
    with Recorder(run, attempt="001-a") as recorder:
        steps = recorder.stream("steps", SCHEMA, NUM_ENVS)
        write(steps, 20)
        assert recorder.sync()
        first = recorder._writer.pid
        os.kill(first, signal.SIGSTOP)
        shutil.rmtree(run)
        write(steps, 20)
        os.kill(first, signal.SIGKILL)
        while steps.undrained:
            write(steps, 1)
            time.sleep(0.05)
        with pytest.raises(AttemptInUseError):
            Recorder(run, attempt="001-a")
    assert_rows(read(run, "steps"), range(20, steps.committed))
    assert (steps.lost, steps.waited_s) == (0, 0.0)
    with pytest.raises(RecordingError, match="has ended"):
        Recorder(run, attempt="001-a")


def test_a_folder_deleted_before_the_end_is_restored_for_the_last_rows(tmp_path):
    run = tmp_path / "run"
    with Recorder(run) as recorder:
        steps = recorder.stream("steps", SCHEMA, NUM_ENVS)
        os.kill(recorder._writer.pid, signal.SIGKILL)
        shutil.rmtree(run)
        write(steps, 20)
    assert_rows(read(run, "steps"), range(20))
    assert not steps.memory.exists()


def test_another_folder_put_in_the_place_of_the_run_takes_the_rows_that_follow(tmp_path):
    run, old = tmp_path / "run", tmp_path / "old"
    with Recorder(run) as recorder:
        steps = recorder.stream("steps", SCHEMA, NUM_ENVS)
        write(steps, 20)
        assert recorder.sync()
        run.rename(old)
        run.mkdir()
        write(steps, 20)
        while steps.undrained:
            time.sleep(0.05)
    assert_rows(read(run, "steps"), range(20, 40))
    assert Reader(find_stream(old, "steps")).poll().rows.tolist()[:20] == list(range(20))
    assert steps.lost == 0


def mounted(folder, options):
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a tmpfs needs privileges that this machine does not give")


def assert_gap_is_told(run, steps, caplog, reason):
    """Said once, said again at the end, recorded with its size; all other rows are there."""
    folder = find_stream(run, "steps")
    told = [f.json() for s in folder.segments() for f in load(s.path).frames if f.kind == 2]
    gaps = [note for note in told if note["note"] == "gap"]
    missing = {row for gap in gaps for row in range(gap["first"], gap["first"] + gap["count"])}

    assert caplog.text.count("training goes on") == 1
    assert reason in caplog.text
    assert f"{steps.lost} rows were lost (" in caplog.text
    assert len(missing) == sum(gap["count"] for gap in gaps) == steps.lost > 0
    assert steps.waited_s == 0
    assert reason in gaps[-1]["reason"]
    # What was written before a sync failed is counted as lost, and may be there all the same.
    records = read(run, "steps")
    assert set(range(steps.committed)) - missing <= set(records.rows.tolist())
    assert_rows(records, records.rows.tolist())
    for gap in verify(folder).gaps:
        assert reason in gap["reason"]


def until_rows_are_given_up(steps, reason):
    while not steps.lost or reason not in steps.failure:
        write(steps, 5)
        time.sleep(0.02)


def until_the_disk_takes_rows(steps):
    while steps.failing:
        time.sleep(0.01)
    write(steps, 5)


def test_a_disk_that_others_fill_costs_a_gap_that_is_recorded_once_there_is_room(tmp_path, caplog):
    mounted(tmp_path, "size=300k")
    try:
        with Recorder(tmp_path / "run", ring_bytes=20_000) as recorder:
            steps = recorder.stream("steps", SCHEMA, NUM_ENVS)
            write(steps, 5)
            assert recorder.sync()
            ballast = tmp_path / "ballast"
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            until_rows_are_given_up(steps, "No space left")
            ballast.unlink()
            until_the_disk_takes_rows(steps)
        assert_gap_is_told(tmp_path / "run", steps, caplog, "No space left on device")
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_disk_that_turns_read_only_costs_a_gap_that_is_recorded_once_it_is_writable(
    tmp_path, caplog
):
    run = tmp_path / "run"
    with Recorder(run, ring_bytes=20_000) as recorder:
        steps = recorder.stream("steps", SCHEMA, NUM_ENVS)
        write(steps, 5)
        assert recorder.sync()
        mounted(run, "ro")
        try:
            until_rows_are_given_up(steps, "Read-only")
        finally:
            subprocess.run(["umount", "-l", str(run)], check=True)
        until_the_disk_takes_rows(steps)
    assert_gap_is_told(run, steps, caplog, "Read-only file system")


def test_a_gap_is_recorded_although_the_writer_died_before_there_was_space(tmp_path, caplog):
    run = tmp_path / "run"
    with Recorder(run, ring_bytes=20_000) as recorder:
        steps = recorder.stream("steps", SCHEMA, NUM_ENVS)
        write(steps, 5)
        assert recorder.sync()
        mounted(run / "realtime_data" / "streams" / recorder.attempt.name / "steps", "ro")
        until_rows_are_given_up(steps, "Read-only")
        os.kill(recorder._writer.pid, signal.SIGKILL)
        subprocess.run(["umount", "-l", str(find_stream(run, "steps").path)], check=True)
        until_the_disk_takes_rows(steps)
    assert_gap_is_told(run, steps, caplog, "Read-only file system")
