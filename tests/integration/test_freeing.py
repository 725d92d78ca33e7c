"""Steps that leave this machine because a store has them: told of by every reader, and pulled back."""

from __future__ import annotations

import logging
import shutil

import numpy as np
import orjson
import pytest
from tests.integration.test_keeping import ROWS, a_run, told

from trackway import files, read
from trackway.cli.main import main
from trackway.storage.archive.compact import compact_run
from trackway.storage.places import find_stream
from trackway.storage.reader import Reader
from trackway.storage.verify import verify


@pytest.fixture
def models(tmp_path):
    return tmp_path / "models"


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def ship(run, store):
    assert main(["sync", str(run.path), str(store), "--once"]) == 0


def clean(models, store, capsysbinary, *options):
    capsysbinary.readouterr()
    return told(
        capsysbinary, "clean", models, "--store", store, "--local_days", 7, "--json", *options
    )


def finished(run):
    steps = find_stream(run.path, "steps")
    return sorted(path.name for path in steps.path.iterdir() if path.suffix in (".seg", ".parquet"))


def test_steps_that_the_store_has_go_and_come_back_byte_for_byte(models, store, capsysbinary):
    run, state = a_run(models, "old", days=40)
    ship(run, store)
    here = {path: path.read_bytes() for path in find_stream(run.path, "steps").path.glob("*.seg")}
    shipments = sorted(store.rglob("*.ship"))
    freed = clean(models, store, capsysbinary)

    assert finished(run) == [max(here).name]
    assert freed["freed_bytes"] == sum(map(len, here.values())) - len(here[max(here)])
    assert verify(find_stream(run.path, "steps")).whole
    assert main(["pull", str(store), run.name, "--models", str(models)]) == 0
    assert {path: path.read_bytes() for path in here} == here
    np.testing.assert_array_equal(read(run.path, "steps")["state"], state)
    # Neither the notes nor what came back is shipped.
    ship(run, store)
    assert sorted(store.rglob("*.ship")) == shipments
    assert not list(run.path.rglob("*.stored"))


def test_parts_go_when_the_store_has_their_segments(models, store, capsysbinary):
    run, state = a_run(models, "old", days=40)
    ship(run, store)
    segments = finished(run)
    (made,) = [made for made in compact_run(run.path) if made.rows == ROWS]
    files.publish(find_stream(run.path, "steps").path / "000099.seg", b"the newest stays")
    clean(models, store, capsysbinary)

    assert not made.path.exists()
    (find_stream(run.path, "steps").path / "000099.seg").unlink()
    assert main(["pull", str(store), run.name, "--models", str(models)]) == 0
    assert finished(run) == segments
    np.testing.assert_array_equal(read(run.path, "steps")["state"], state)


def test_readers_say_what_lies_in_the_store_and_how_it_comes_back(
    models, store, capsysbinary, caplog
):
    run, state = a_run(models, "old", days=40)
    ship(run, store)
    clean(models, store, capsysbinary)
    pull = f"trackway pull {store} {run.name} brings them back"
    with caplog.at_level(logging.WARNING):
        found = read(run.path, "steps")

    first = int(found.rows[0])
    assert 0 < first < ROWS
    np.testing.assert_array_equal(found["state"], state[first:])
    assert f"rows 0 to {first - 1} of steps lie in {store}: {pull}" in caplog.text
    steps = find_stream(run.path, "steps")
    reader = Reader(steps)
    reader.poll()
    assert [pull in fault for fault in reader.faults] == [True]
    # Whoever asks for what is here is not bothered.
    reader = Reader(steps, first=first)
    assert len(reader.poll()) == ROWS - first
    assert reader.faults == []
    for command in ("verify", "streams"):
        assert main([command, run.name, "--models", str(models)]) == 0
        assert pull in capsysbinary.readouterr().out.decode()
    assert main(["verify", run.name, "--models", str(models), "--json"]) == 0
    (report,) = [r for r in orjson.loads(capsysbinary.readouterr().out) if r["stream"] == "steps"]
    assert (report["gaps"], report["rows"]) == ([], ROWS - first)


def test_what_the_store_does_not_have_stays(models, store, capsysbinary):
    run, state = a_run(models, "old", days=40)
    before = finished(run)
    store.mkdir()
    freed = clean(models, store, capsysbinary)
    assert freed["freed_bytes"] == 0
    assert "see trackway sync" in freed["said"][0]

    ship(run, store)
    lane = sorted(store.rglob("steps/*.ship"))
    shutil.rmtree(lane[0].parent)  # whatever a note here says, the store is asked
    freed = clean(models, store, capsysbinary)

    assert "does not have it" in freed["said"][0]
    assert finished(run) == before
    np.testing.assert_array_equal(read(run.path, "steps")["state"], state)


def test_other_bytes_than_the_store_has_stay(models, store, capsysbinary):
    run, _ = a_run(models, "old", days=40)
    ship(run, store)
    first = find_stream(run.path, "steps").sealed_segment(0)
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    freed = clean(models, store, capsysbinary)

    assert freed["freed_bytes"] == 0
    assert first.exists()


def test_no_more_stays_here_than_is_asked_for_and_the_oldest_go_first(models, store, capsysbinary):
    older, _ = a_run(models, "older", days=40)
    newer, _ = a_run(models, "newer", days=20)
    for run in (older, newer):
        ship(run, store)
    sizes = [sum(p.stat().st_size for p in run.path.rglob("steps/*.seg")) for run in (older, newer)]
    before = finished(newer)
    capsysbinary.readouterr()
    limit = sizes[1] + sizes[0] / 2
    told(capsysbinary, "clean", models, "--store", store, "--local_gb", limit / 1e9, "--json")

    assert finished(newer) == before
    left = sum(p.stat().st_size for run in (older, newer) for p in run.path.rglob("steps/*.seg"))
    assert limit / 2 < left <= limit


def test_pinned_and_recorded_runs_and_dry_runs_lose_nothing(models, store, capsysbinary):
    run, _ = a_run(models, "old", days=40)
    ship(run, store)
    before = finished(run)
    found = clean(models, store, capsysbinary, "--dry-run")
    assert {file["run"] for file in found["local"]} == {run.name}
    lock = files.lock(find_stream(run.path, "steps").attempt.lock)
    assert clean(models, store, capsysbinary)["local"] == []
    lock.release()
    main(["pin", run.name, "--models", str(models)])

    assert clean(models, store, capsysbinary)["local"] == []
    assert finished(run) == before


def test_a_thinned_run_stays_whole_in_the_store(models, store, tmp_path, capsysbinary):
    run, state = a_run(models, "old", days=40)
    capsysbinary.readouterr()
    command = ["clean", models, "--full_days", 30, "--store", store, "--json"]
    kept = told(capsysbinary, *command)
    assert any("does not hold it" in said for said in kept["said"])

    ship(run, store)
    capsysbinary.readouterr()
    told(capsysbinary, *command)
    ship(run, store)

    assert len(read(run.path, "steps")) < ROWS
    assert main(["pull", str(store), run.name, "--models", str(tmp_path / "there")]) == 0
    np.testing.assert_array_equal(read(tmp_path / "there" / run.name, "steps")["state"], state)


def test_a_policy_without_a_store_cannot_free(models, capsys):
    models.mkdir()
    (models / "retention.toml").write_text("local_days = 3\n")

    assert main(["clean", str(models)]) == 1
    assert "which store" in capsys.readouterr().err


def test_killed_between_the_note_and_the_file_nothing_is_told_twice(
    models, store, capsysbinary, monkeypatch
):
    run, state = a_run(models, "old", days=40)
    ship(run, store)

    def killed(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("trackway.sync.freeing.files.remove", killed)
        with pytest.raises(KeyboardInterrupt):
            clean(models, store, capsysbinary)
    steps = find_stream(run.path, "steps")
    assert steps.contents().stored == []
    np.testing.assert_array_equal(read(run.path, "steps")["state"], state)
    assert verify(steps).stored == []

    clean(models, store, capsysbinary)
    assert len(finished(run)) == 1
