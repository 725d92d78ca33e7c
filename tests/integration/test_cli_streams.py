"""`trackway streams`, `tail`, `verify`, `repair`, as a person types them."""

import shutil
import subprocess
import sys

import numpy as np
import orjson
import pytest
from tests.support.segments import NUM_ENVS, SCHEMA, rows

from trackway import Field, Recorder, Schema, read
from trackway.cli.main import main
from trackway.storage.places import find_stream

NAMES = [field.name for field in SCHEMA]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A run of 100 rows in four segments, and three records."""
    run = tmp_path_factory.mktemp("runs") / "a run"
    with Recorder(run, segment_bytes=SCHEMA.row_bytes(NUM_ENVS) * 30) as recorder:
        steps = recorder.stream("steps", SCHEMA, NUM_ENVS)
        events = recorder.records("events")
        for number in range(100):
            columns = rows(number, 1)
            steps.write({name: column[0] for name, column in zip(NAMES, columns, strict=True)})
        for number in range(3):
            events.append({"event": "checkpoint", "number": number})
    return run


def told(capsysbinary, command):
    assert main(command) == 0
    return orjson.loads(capsysbinary.readouterr().out)


@pytest.fixture
def run(recorded, tmp_path):
    return shutil.copytree(recorded, tmp_path / "run")


def test_streams_lists_what_was_recorded(run, capsysbinary):
    assert main(["streams", str(run), "--json"]) == 0
    events, steps = orjson.loads(capsysbinary.readouterr().out)

    assert (steps["stream"], steps["rows"], steps["num_envs"]) == ("steps", 100, 2)
    assert (events["kind"], events["rows"], events["recording"]) == ("json", 3, False)
    assert [field["unit"] for field in steps["fields"]] == ["m", "1", "1"]
    assert main(["streams", str(run)]) == 0
    assert b"steps" in capsysbinary.readouterr().out


def test_records_are_counted_not_their_pieces(tmp_path, capsysbinary):
    with Recorder(tmp_path) as recorder:
        updates = recorder.records("updates")
        for number in range(7):
            updates.append({"n": number, "values": list(range(300))})

        assert told(capsysbinary, ["streams", str(tmp_path), "--json"])[0]["rows"] == 7
    assert told(capsysbinary, ["streams", str(tmp_path), "--json"])[0]["rows"] == 7
    (report,) = told(capsysbinary, ["verify", str(tmp_path), "--json"])
    assert report["records"] == 7
    assert report["rows"] > 7 * 4


def test_tail_prints_the_last_rows_of_an_environment(run, capsysbinary):
    arguments = ["tail", str(run), "steps", "-n", "2", "--env", "1", "--fields", "qpos", "done"]
    assert main(arguments) == 0
    lines = [orjson.loads(line) for line in capsysbinary.readouterr().out.splitlines()]

    assert [line["row"] for line in lines] == [98, 99]
    assert lines[1]["qpos"] == rows(99, 1)[0][0, 1].tolist()
    assert list(lines[0]) == ["row", "qpos", "done"]


def test_tail_prints_records(run, capsysbinary):
    assert main(["tail", str(run), "events", "-n", "2", "--follow"]) == 0
    lines = [orjson.loads(line) for line in capsysbinary.readouterr().out.splitlines()]

    assert [line["number"] for line in lines] == [1, 2]


@pytest.mark.parametrize("asked", [0, 1, 7, 300, 500])
def test_tail_finds_the_last_records_however_long_they_are(tmp_path, capsysbinary, asked):
    with Recorder(tmp_path) as recorder:
        events = recorder.records("events")
        for number in range(300):
            events.append({"number": number, "text": "x" * (number * 40 % 3000)})
    assert main(["tail", str(tmp_path), "events", "-n", str(asked)]) == 0
    lines = [orjson.loads(line) for line in capsysbinary.readouterr().out.splitlines()]

    assert [line["number"] for line in lines] == list(range(max(0, 300 - asked), 300))


def test_tail_follows_a_stream_while_it_is_recorded(tmp_path):
    schema = Schema(Field("x"))
    with Recorder(tmp_path) as recorder:
        stream = recorder.stream("steps", schema)
        stream.write({"x": [0.0]})
        code = "import sys; from trackway.cli.main import main; sys.exit(main(sys.argv[1:]))"
        command = [sys.executable, "-c", code, "tail", str(tmp_path), "steps", "-f"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as tail:
            seen = [orjson.loads(tail.stdout.readline())]
            for value in (1.0, 2.0):
                stream.write({"x": [value]})
                seen.append(orjson.loads(tail.stdout.readline()))
            recorder.close()
            rest = tail.stdout.read()
    assert seen == [{"row": i, "x": float(i)} for i in range(3)]
    assert rest == b""
    assert tail.returncode == 0


def test_verify_says_whole_with_status_0(run, capsysbinary):
    assert main(["verify", str(run)]) == 0
    said = capsysbinary.readouterr().out.decode()

    assert said.count("whole") == 3  # two streams, and what lies beside them
    assert "100 rows in 4 segments" in said


def flip(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def test_verify_finds_a_flipped_bit_and_says_where_with_status_3(run, capsysbinary):
    path = find_stream(run, "steps").sealed_segment(1)
    flip(path, path.stat().st_size // 2)
    assert main(["verify", str(run), "--json"]) == 3
    _, steps = orjson.loads(capsysbinary.readouterr().out)

    assert not steps["whole"]
    assert "000001.seg: bytes" in steps["faults"][0]
    assert sum(gap["count"] for gap in steps["gaps"]) == 100 - steps["rows"] > 0


def test_repair_makes_segments_whole_and_keeps_the_old(run, capsysbinary):
    folder = find_stream(run, "steps")
    path = folder.sealed_segment(1)
    flip(path, path.stat().st_size // 2)
    damaged = path.read_bytes()
    before = read(run, "steps")
    assert main(["repair", str(run)]) == 0
    assert b"000001.seg.damaged" in capsysbinary.readouterr().out
    main(["verify", str(run), "--json"])
    _, steps = orjson.loads(capsysbinary.readouterr().out)

    assert folder.damaged(path).read_bytes() == damaged
    assert steps["faults"] == []
    assert read(run, "steps").rows.tolist() == before.rows.tolist()
    assert main(["repair", str(run)]) == 0
    assert b"nothing to repair" in capsysbinary.readouterr().out


def test_repair_seals_a_segment_that_the_power_cut_left_open(run, capsysbinary):
    folder = find_stream(run, "steps")
    sealed, torn = folder.sealed_segment(3), folder.open_segment(3)
    torn.write_bytes(sealed.read_bytes()[:-40] + b"\0" * 100)
    sealed.unlink()
    assert main(["verify", str(run)]) == 3
    said = capsysbinary.readouterr().out.decode()
    assert "torn tail" in said
    assert "never sealed" in said
    assert main(["repair", str(run)]) == 0

    assert main(["verify", str(run)]) == 0
    assert len(read(run, "steps")) == 100
    assert [file.sealed for file in folder.segments()] == [True] * 4
    assert folder.damaged(torn).exists()


def test_repair_sets_aside_what_has_no_header(run, capsysbinary):
    path = find_stream(run, "steps").sealed_segment(0)
    flip(path, 30)
    assert main(["verify", str(run)]) == 3
    assert "header of this segment is damaged" in capsysbinary.readouterr().out.decode()
    assert main(["repair", str(run)]) == 0

    assert path.with_name("000000.seg.damaged").exists()
    assert read(run, "steps").rows.tolist() == list(range(30, 100))


def test_two_runs_are_told_apart_by_their_digests(recorded, tmp_path, capsysbinary):
    reports = []
    for name, nudge in (("same", -0.0), ("other", 1e-300)):
        run = tmp_path / name
        with Recorder(run, segment_bytes=SCHEMA.row_bytes(NUM_ENVS) * 30) as recorder:
            steps = recorder.stream("steps", SCHEMA, NUM_ENVS)
            for number in range(100):
                columns = rows(number, 1)
                if number == 0:
                    columns[0][0, 0, 1] = nudge
                steps.write({n: c[0] for n, c in zip(NAMES, columns, strict=True)})
                if number % 7 == 0:
                    recorder.sync()  # other frames, same rows
        main(["verify", str(run), "--json"])
        reports.append(orjson.loads(capsysbinary.readouterr().out)[0]["digests"])
    main(["verify", str(recorded), "--json"])
    first = orjson.loads(capsysbinary.readouterr().out)[1]["digests"]

    assert first == reports[0]
    assert [name for name in first if first[name] != reports[1][name]] == ["qpos"]


def test_what_does_not_exist_is_one_sentence_and_status_1(run, tmp_path, capsys):
    assert main(["tail", str(run), "stops"]) == 1
    assert "it has: events, steps" in capsys.readouterr().err
    assert main(["tail", str(run), "steps", "--env", "2"]) == 1
    assert "environments 0 to 1" in capsys.readouterr().err
    (tmp_path / "empty" / "realtime_data" / "streams").mkdir(parents=True)
    for command in ("streams", "verify"):
        assert main([command, str(tmp_path / "empty")]) == 1
        assert "holds no recorded streams" in capsys.readouterr().err
    assert main(["verify", "nowhere", "--models", str(tmp_path)]) == 1


def test_the_recorder_takes_a_run_that_training_made(tmp_path, capsys):
    from trackway.run import create_run, new_manifest, write_manifest

    run = create_run(tmp_path, "mine")
    write_manifest(run, new_manifest(command=["train.py"], config={}))
    with Recorder(run.path) as recorder:
        recorder.stream("steps", Schema(Field("x"))).write({"x": np.zeros(1)})

    assert main(["verify", "mine", "--models", str(tmp_path)]) == 0
