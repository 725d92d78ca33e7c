"""What goes, what stays, and what a backup is good for: `trackway clean`, `pin`, `backup`, `restore`."""

import os
from dataclasses import replace

import numpy as np
import orjson
import pytest
from tests.support.archives import Recorded
from tests.support.clock import FakeClock

from trackway import Field, Recorder, Schema, read, read_records
from trackway.cli.main import main
from trackway.format.segment import encode_note, encode_rows, encode_seal, open_segment, split
from trackway.run import RunFolder, create_run, hold, new_manifest, write_manifest
from trackway.storage.archive.compact import compact_run
from trackway.storage.backup import Backup
from trackway.storage.packs import pack, read_files
from trackway.storage.places import attempts, find_stream
from trackway.storage.retention.following import follow_run
from trackway.storage.retention.pins import Pin, pins
from trackway.storage.segments import load
from trackway.storage.verify import verify

SCHEMA = Schema(Field("state", "float64", (60,), "m", "where it is"), Field("row", "int64"))
ROWS, LENGTH, ENVS = 3000, 100, 2
DAY_S = 86_400.0


def a_run(models, name, days):
    """Episodes of a hundred rows; the tenth is best, the twentieth worst, the fifth succeeds first."""
    run = create_run(models, name)
    manifest = new_manifest(command=["train.py"], config={})
    write_manifest(run, manifest | {"status": "finished"})
    luck = np.random.default_rng(1)
    state = luck.normal(size=(ROWS, ENVS, 60))
    with Recorder(run.path, compact=False, segment_bytes=800_000) as recorder:
        steps, episodes = recorder.stream("steps", SCHEMA, ENVS), recorder.records("episodes")
        for number in range(ROWS):
            steps.write({"state": state[number], "row": np.full(ENVS, number)})
            if number % LENGTH == LENGTH - 1:
                episode = number // LENGTH
                score = {10: 99.0, 20: -99.0}.get(episode, float(episode))
                told = {"row": number, "env": 0, "episode": episode, "length": LENGTH}
                episodes.append(told | {"return": score, "is_success": episode in (5, 7)})
    age_segments(run, days)
    return run, state


def age_segments(run, days):
    """The writer's own clock cannot be turned: write the segments' headers anew."""
    for attempt in attempts(run.path):
        for stream in attempt.streams():
            for file in stream.segments():
                segment = load(file.path)
                past = segment.header.created_unix - days * DAY_S
                data = replace(segment.header, created_unix=past).encode()
                salt = open_segment(data).salt
                for frame in segment.frames:
                    if frame.kind == 1:
                        header = segment.header
                        columns = split(header.schema, header.num_envs, frame)
                        values = list(columns.values())
                        data += encode_rows(salt, frame.first_row, frame.count, values)
                    elif frame.kind == 2:
                        data += encode_note(salt, frame.first_row, frame.json())
                    else:
                        told = frame.json()
                        data += encode_seal(salt, frame.first_row, told["rows"], told["digests"])
                file.path.write_bytes(data)


@pytest.fixture
def models(tmp_path):
    return tmp_path / "models"


def told(capsysbinary, *command):
    assert main([*map(str, command)]) == 0
    return orjson.loads(capsysbinary.readouterr().out)


PINNED = {*range(1000, 1100), *range(2000, 2100), *range(500, 600)}


def test_a_dry_run_says_what_would_go_and_why_and_touches_nothing(models, capsysbinary):
    run, state = a_run(models, "old", days=40)
    a_run(models, "new", days=1)
    found = told(capsysbinary, "clean", models, "--full_days", 30, "--dry-run", "--json")
    (cut,) = found["cuts"]

    assert cut["run"] == run.name
    assert cut["stage"] == "sampled"
    assert "40 days old, kept whole for 30" in cut["why"]
    assert cut["after_bytes"] < cut["before_bytes"] / 4
    assert {pin["why"] for pin in cut["pins"]} == {
        "the best episode", "the worst episode", "the first success",
    }  # fmt: skip
    np.testing.assert_array_equal(read(run.path, "steps")["state"], state)
    assert main(["clean", str(models), "--full_days", "30", "--dry-run"]) == 0
    assert b"nothing was touched" in capsysbinary.readouterr().out


def test_old_runs_keep_a_sample_and_their_pinned_episodes_at_full_rate(models, capsysbinary):
    run, state = a_run(models, "old", days=40)
    before = told(capsysbinary, "clean", models, "--full_days", 30, "--json")
    found = read(run.path, "steps")
    rows = set(found.rows.tolist())

    assert PINNED | set(range(0, ROWS, 10)) <= rows
    assert len(rows) < 600
    np.testing.assert_array_equal(found["state"], state[found.rows])
    assert before["freed_bytes"] > 0
    assert len(read_records(run.path, "episodes")) == ROWS // LENGTH
    assert verify(find_stream(run.path, "steps")).whole
    again = told(capsysbinary, "clean", models, "--full_days", 30, "--json")
    assert again["cuts"] == []

    told(capsysbinary, "clean", models, "--full_days", 30, "--sampled_days", 35, "--json")
    found = read(run.path, "steps")
    assert set(found.rows.tolist()) >= PINNED
    assert len(found) < len(PINNED) + 10
    np.testing.assert_array_equal(found["state"], state[found.rows])


def test_a_pinned_run_stays_and_so_do_pinned_rows(models, capsysbinary):
    run, _ = a_run(models, "old", days=40)
    attempt = attempts(run.path)[0].name
    main(["pin", run.name, "--models", str(models)])
    found = told(capsysbinary, "clean", models, "--full_days", 30, "--json")
    assert found["cuts"] == []
    assert "pinned" in found["said"][0]

    main(["unpin", run.name, "--models", str(models)])
    command = ["pin", run.name, "--models", str(models), "--attempt", attempt, "--rows"]
    assert main([*command, "1501", "1503"]) == 0
    told(capsysbinary, "clean", models, "--full_days", 30, "--json")
    assert {1501, 1502, 1503} <= set(read(run.path, "steps").rows.tolist())


def test_a_budget_takes_from_the_oldest_first_and_says_when_it_cannot_be_met(models, capsysbinary):
    a_run(models, "older", days=40)
    a_run(models, "newer", days=20)
    size = sum(path.stat().st_size for path in models.rglob("*") if path.is_file())
    command = ["clean", models, "--dry-run", "--json", "--budget_gb"]
    found = told(capsysbinary, *command, size * 0.8 / 1e9)
    assert [cut["run"].split("-")[-1] for cut in found["cuts"]] == ["older"]

    found = told(capsysbinary, *command, 1e-6)
    assert {cut["stage"] for cut in found["cuts"]} == {"pinned"}
    assert len(found["cuts"]) == 2
    assert "will still take" in found["said"][-1]


def test_nothing_goes_that_the_backup_does_not_hold(models, tmp_path, capsysbinary, monkeypatch):
    run, state = a_run(models, "old", days=40)
    backup = tmp_path / "backup"
    monkeypatch.setattr("trackway.storage.backup.Backup.copy", lambda _: None)
    found = told(capsysbinary, "clean", models, "--full_days", 30, "--backup", backup, "--json")

    assert any("does not hold it" in said for said in found["said"])
    np.testing.assert_array_equal(read(run.path, "steps")["state"], state)


def test_what_was_let_go_is_restored_from_the_backup(models, tmp_path, capsysbinary):
    run, state = a_run(models, "old", days=40)
    backup = tmp_path / "backup"
    (models / "retention.toml").write_text(f'full_days = 30\nbackup = "{backup}"\n')
    told(capsysbinary, "clean", models, "--json")  # copies what is there, which is segments
    told(capsysbinary, "clean", models, "--json")  # then the parts that were made of them
    assert len(read(run.path, "steps")) < ROWS
    assert main(["restore", str(backup / run.name), str(tmp_path / "again")]) == 0

    np.testing.assert_array_equal(read(tmp_path / "again", "steps")["state"], state)
    assert main(["verify", str(tmp_path / "again")]) == 0
    # Into the run itself: what was reduced makes room.
    (run.path / "run.json").unlink()
    assert main(["restore", str(backup / run.name), str(run.path)]) == 0
    np.testing.assert_array_equal(read(run.path, "steps")["state"], state)


def test_what_only_became_another_file_leaves_the_backup(models, tmp_path):
    run, state = a_run(models, "old", days=0)
    folder = run.realtime_data / "episodes"
    folder.mkdir()
    for number in range(30):
        (folder / f"episodes_{number:02d}.json").write_text(f'[{{"timestep": {number}}}]')
    backup = tmp_path / "backup"
    kept = backup / run.name
    assert main(["backup", str(run.path), str(backup)]) == 0
    assert list(kept.rglob("*.seg"))
    compact_run(run.path)
    pack(folder)
    assert main(["backup", str(run.path), str(backup)]) == 0

    assert not list(kept.rglob("*.seg"))
    assert list(kept.rglob("*.parquet"))
    assert len(list(kept.rglob("episodes_*.json"))) == 20
    assert main(["restore", str(kept), str(tmp_path / "again")]) == 0
    np.testing.assert_array_equal(read(tmp_path / "again", "steps")["state"], state)
    assert dict(read_files(tmp_path / "again/realtime_data/episodes")) == dict(read_files(folder))


class Events(FakeClock):
    """Something happens at each look."""

    def __init__(self, *events):
        super().__init__()
        self.events = list(events)

    def sleep_s(self, duration_s):
        super().sleep_s(duration_s)
        if self.events:
            self.events.pop(0)()


def test_a_backup_follows_a_run_to_its_end_though_the_disk_refuses_at_first(tmp_path, caplog):
    run = create_run(tmp_path / "models", "one")
    write_manifest(run, new_manifest(command=["train.py"], config={}))
    held, backup, late = hold(run), tmp_path / "backup", run.path / "late.json"
    backup.write_text("no folder")
    clock = Events(
        lambda: None,
        backup.unlink,
        lambda: late.write_text("[]"),
        held.release,
        lambda: late.with_name("last.json").write_text("[]"),
    )
    follow_run(run, backup, clock)

    assert caplog.text.count("is behind") == 1
    assert not clock.events
    assert (backup / run.name / "late.json").read_text() == "[]"
    assert (backup / run.name / "last.json").read_text() == "[]"
    assert main(["restore", str(backup / run.name), str(tmp_path / "again")]) == 0


def test_a_backup_copies_once_proves_and_finds_damage(models, tmp_path, capsysbinary):
    run, _ = a_run(models, "one", days=0)
    backup = tmp_path / "backup"
    assert main(["backup", str(models), str(backup)]) == 0
    assert b"files" in capsysbinary.readouterr().out
    assert main(["backup", str(run.path), str(backup)]) == 0
    assert b": 0 files" in capsysbinary.readouterr().out
    damaged = next((backup / run.name).rglob("000001.seg"))
    data = bytearray(damaged.read_bytes())
    data[1000] ^= 1
    damaged.write_bytes(data)

    assert main(["restore", str(backup / run.name), str(tmp_path / "again")]) == 1
    assert b"000001.seg" in capsysbinary.readouterr().err
    assert (tmp_path / "again" / "run.json").exists()

    (backup / run.name / "run.json").unlink()
    assert main(["backup", str(run.path), str(backup), "--prove"]) == 0
    assert b": 2 files" in capsysbinary.readouterr().out
    assert main(["restore", str(backup / run.name), str(tmp_path / "again")]) == 0
    own = run.path / damaged.relative_to(backup / run.name)
    for path in (damaged, own):
        kept = path.stat()
        path.write_bytes(data)
        os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert main(["backup", str(run.path), str(backup), "--prove"]) == 1
    assert b"000001.seg is not what it was when it was copied" in capsysbinary.readouterr().err


def test_a_backup_that_cannot_be_written_is_no_backup(models, capsys):
    a_run(models, "one", days=0)
    assert main(["backup", str(models), "/proc/backup"]) == 1
    told = capsys.readouterr()

    assert (told.out, "/proc/backup" in told.err) == ("", True)


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"files": 3}', None])
def test_a_damaged_list_of_a_backup_is_said(tmp_path, damage, capsys):
    run = tmp_path / "models" / "one"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    backup = tmp_path / "backup"
    Backup(run, backup).copy()
    listed = backup / "one" / "backup.json"
    listed.write_bytes(
        listed.read_bytes().replace(b"mtime", b"ntime") if damage is None else damage
    )

    for command in (["restore", backup / "one", tmp_path / "two"], ["backup", run, backup]):
        assert main([str(word) for word in command]) == 1
        assert "backup.json is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(("reason", "pinned"), [("closed", 0), ("trainer died", 1)])
def test_the_last_rows_before_a_crash_are_pinned(tmp_path, reason, pinned):
    recorded = Recorded(tmp_path, FakeClock())
    recorded.batch(1500)
    recorded.journal.finish(reason)
    found = pins(RunFolder(tmp_path), recorded.folder.attempt)

    assert found == [Pin(500, 1499, "the last rows: trainer died")] * pinned


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("full_days = -1", "full_days"),
        ("every = 1", "every"),
        ("fulldays = 3", "fulldays"),
        ("full_days = 'three'", "number"),
        ("full_days = 9\nsampled_days = 3", "sampled_days"),
        ("full_days =", "cannot be read"),
    ],
)
def test_a_policy_that_cannot_be_says_what_would_do(models, capsys, text, match):
    models.mkdir()
    (models / "retention.toml").write_text(text)

    assert main(["clean", str(models)]) == 1
    assert match in capsys.readouterr().err
