"""What was recorded becomes Parquet by itself, and by `trackway compact`."""

import subprocess
import sys
import time

import numpy as np
import orjson
import pytest

from trackway import Field, Recorder, Schema, read, read_records
from trackway import files as disk
from trackway.cli.main import main
from trackway.query import pyramid_file
from trackway.recorder.compactor import LEAST_BYTES, Compaction
from trackway.storage.archive import plan
from trackway.storage.places import find_stream

SCHEMA = Schema(Field("state", "float64", (50,), "m", "a lot of it"), Field("done", "bool"))


def record(run, count, **settings):
    luck = np.random.default_rng(3)
    given = luck.normal(size=(count, 4, 50))
    with Recorder(run, **settings) as recorder:
        steps, events = recorder.stream("steps", SCHEMA, 4), recorder.records("events")
        for number in range(count):
            steps.write({"state": given[number], "done": np.full(4, number % 100 == 99)})
        events.append({"event": "the end"})
    return given


def wait_for_parts(folder):
    until_s = time.monotonic() + 60
    while folder.segments() or disk.is_locked(folder.attempt.archive_lock):
        assert time.monotonic() < until_s, folder.attempt.writer_log.read_text()
        time.sleep(0.05)


def test_a_long_recording_becomes_parquet_by_itself(tmp_path):
    count = 2 * LEAST_BYTES // SCHEMA.row_bytes(4)
    given = record(tmp_path, count, segment_bytes=LEAST_BYTES // 2)
    folder = find_stream(tmp_path, "steps")
    wait_for_parts(folder)

    assert len(folder.parts()) == 1
    np.testing.assert_array_equal(read(tmp_path, "steps")["state"], given)
    assert len(find_stream(tmp_path, "events").segments()) == 1
    assert main(["verify", str(tmp_path)]) == 0


def test_a_long_recording_is_drawn_without_being_read(tmp_path, monkeypatch):
    cache, run = tmp_path / "cache", tmp_path / "run"
    monkeypatch.setenv("TRACKWAY_CACHE", str(cache))
    schema = Schema(Field("wide", "float64", (500,)), Field("height", "float32", unit="m"))
    with Recorder(run) as recorder:
        steps, events = recorder.stream("steps", schema), recorder.records("events")
        for number in range(5000):
            steps.write({"wide": np.zeros((1, 500)), "height": [number]})
        events.append({"event": "the end"})
    wait_for_parts(find_stream(run, "steps"))

    (kept,) = (cache / "pyramids").iterdir()  # of the number; nothing charts a wide array by itself
    pyramid = pyramid_file.load(kept)
    assert (pyramid.next_row, pyramid.query(0, 5000, 1, 0).max) == (5000, [4999.0])
    look = (
        "import sys; from pathlib import Path; from trackway.query.run_view import RunView\n"
        "curve = RunView(Path(sys.argv[1])).curve('steps', 'height', x='row', buckets=5)\n"
        "print(curve.buckets.max.tolist(), 'pyarrow' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", look, run], capture_output=True, check=True)
    # Each bucket is nearly its share of the rows, and no part was opened.
    assert told.stdout == b"[1023.0, 2047.0, 3071.0, 4095.0, 4999.0] False\n"


def test_compaction_can_be_left_out_and_done_by_hand(tmp_path, capsysbinary):
    count = 2 * LEAST_BYTES // SCHEMA.row_bytes(4)
    given = record(tmp_path, count, compact=False)
    time.sleep(1.0)
    folder = find_stream(tmp_path, "steps")
    assert folder.parts() == []

    assert main(["compact", str(tmp_path), "--json"]) == 0
    made = orjson.loads(capsysbinary.readouterr().out)
    assert [one["rows"] for one in made] == [1, count]
    np.testing.assert_array_equal(read(tmp_path, "steps")["state"], given)
    assert read_records(tmp_path, "events") == [{"event": "the end"}]
    assert main(["compact", str(tmp_path)]) == 0
    assert capsysbinary.readouterr().out == b"nothing to compact\n"


def test_a_stream_may_be_rounded_in_the_archive(tmp_path):
    given = record(tmp_path, 300, compact=False, precision={"steps": {"state": 1e-4}})
    main(["compact", str(tmp_path)])
    (part,) = find_stream(tmp_path, "steps").parts()
    found = read(tmp_path, "steps")["state"]

    assert part.path.stat().st_size < given.nbytes / 2
    assert (found != given).any()
    assert np.abs(found - given).max() <= 1e-4
    assert main(["verify", str(tmp_path)]) == 0


def test_a_limited_stream_is_not_compacted_while_it_is_recorded(tmp_path):
    with Recorder(tmp_path, segment_bytes=8000, compact=False) as recorder:
        steps = recorder.stream("steps", SCHEMA, 4, keep_rows=40)
        for _ in range(60):
            steps.commit()
        recorder.sync()
        main(["compact", str(tmp_path)])
        folder = find_stream(tmp_path, "steps")
        assert folder.parts() == []
    main(["compact", str(tmp_path)])
    assert len(folder.parts()) == 1


def test_nothing_is_started_again_and_again_for_a_limited_stream(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "PART_BYTES", 1000)
    with Recorder(tmp_path, segment_bytes=8000) as recorder:
        steps = recorder.stream("steps", SCHEMA, 4, keep_rows=40)
        for _ in range(60):
            steps.commit()
        recorder.sync()
        compaction = Compaction(find_stream(tmp_path, "steps").attempt)
        compaction.look()
        assert not compaction.busy


@pytest.mark.parametrize("command", ["streams", "verify"])
def test_commands_tell_of_parts_as_of_segments(tmp_path, capsysbinary, command):
    record(tmp_path, 300, compact=False)
    before = main([command, str(tmp_path), "--json"]), capsysbinary.readouterr().out
    main(["compact", str(tmp_path)])
    capsysbinary.readouterr()
    after = main([command, str(tmp_path), "--json"]), capsysbinary.readouterr().out

    assert before[0] == after[0] == 0
    for one, other in zip(orjson.loads(before[1]), orjson.loads(after[1]), strict=True):
        for fact in ("stream", "rows", "num_envs", "fields"):
            assert one[fact] == other[fact]
