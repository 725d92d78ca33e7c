"""A run taken over from a store: what goes on needs little of it, and the rest can be had."""

from __future__ import annotations

import io
import logging
import shutil
import zipfile
from pathlib import Path

import numpy as np
import orjson
import pytest
from tests.support.dashboard import built_page, serving
from tests.support.recorded import BEGUN_UNIX_S, make_run, record_attempt

import trackway
from trackway import files, read
from trackway.checkpoint.archive import with_members
from trackway.cli.main import main
from trackway.run import RunFolder, read_manifest
from trackway.storage.line import find_line
from trackway.storage.places import find_stream
from trackway.storage.verify import verify
from trackway.sync.left import read_left
from trackway.sync.opening import open_store
from trackway.sync.returning import bring_left
from trackway.sync.takeover import take_over

ENVS, ROWS = 4, 1000
NAME = "2025-01-01_12-00-00-walks"
EARLY, LATE = "20250101_120000", "20250101_121000"
AT = 3200  # the timestep of the newest checkpoint


def a_checkpoint(run: RunFolder, stamp: str, timestep: int) -> None:
    """A zip, the rows of its replay buffer beside it, and its record."""
    model = io.BytesIO()
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("data", "{}")
        archive.writestr("policy.pth", stamp * 100)
    rows = f"rows_{stamp}.npz"
    facts = {"timestep": timestep, "replay": [rows], "timestamp": BEGUN_UNIX_S + timestep}
    zipped = with_members(model.getvalue(), {}, facts, BEGUN_UNIX_S)
    files.publish(run.checkpoints / f"checkpoint_{stamp}.zip", zipped)
    buffer = io.BytesIO()
    np.savez(buffer, stamp=np.array(stamp))
    files.publish(run.checkpoints / "replay" / rows, buffer.getvalue())
    record = orjson.dumps({"timestep": timestep})
    files.publish(run.realtime_data / "checkpoints" / f"checkpoint_{stamp}.json", record)


def records(run: RunFolder, stamp: str, timestep: int) -> None:
    data = orjson.dumps([{"timestep": timestep}])
    files.publish(run.realtime_data / "episodes" / f"episodes_{stamp}.json", data)


@pytest.fixture(scope="module")
def burnt(tmp_path_factory) -> Path:
    """The folder of a machine that shipped a run and stopped: two checkpoints, and steps beyond."""
    folder = tmp_path_factory.mktemp("burnt")
    run = make_run(folder / "here" / NAME, status="running")
    record_attempt(run.path, ROWS, num_envs=ENVS, segment_bytes=40_000)
    a_checkpoint(run, EARLY, 800)
    a_checkpoint(run, LATE, AT)
    files.publish(run.videos / "video.mp4", b"moves")
    records(run, EARLY, 800)
    assert main(["sync", str(run.path), str(folder / "store"), "--once"]) == 0
    # Shipped long after they were written, the names of records tell more than the shipments.
    records(run, "20250101_121500", AT + 500)
    assert main(["sync", str(run.path), str(folder / "store"), "--once"]) == 0
    return folder


@pytest.fixture
def taken(burnt, tmp_path) -> RunFolder:
    shutil.copytree(burnt / "store", tmp_path / "store")
    return take_over(open_store(str(tmp_path / "store")), NAME, tmp_path / "there").run


def steps_of(run: RunFolder) -> list[str]:
    return sorted(path.name for path in find_stream(run.path, "steps").path.iterdir())


def contents(run: RunFolder) -> dict[str, bytes]:
    found = (path for path in run.path.rglob("*") if path.is_file())
    named = {path.relative_to(run.path).as_posix(): path for path in found}
    local = (".lock", "/lock", "/writer.log")
    return {
        name: path.read_bytes()
        for name, path in named.items()
        if not name.startswith("sync/") and not name.endswith(local)
    }


def test_no_more_is_fetched_than_going_on_needs(taken, burnt, caplog):
    everything = contents(RunFolder(burnt / "here" / NAME))
    fetched = contents(taken)

    assert {name for name in fetched if name.startswith(("checkpoints/", "videos/"))} == {
        f"checkpoints/checkpoint_{LATE}.zip", f"checkpoints/replay/rows_{LATE}.npz",
    }  # fmt: skip
    assert read_manifest(taken)["status"] == "running"
    assert "realtime_data/episodes/episodes_20250101_121500.json" in fetched
    notes = [name for name in steps_of(taken) if name.endswith(".stored")]
    assert len(notes) > 2
    assert all(data == everything[n] for n, data in fetched.items() if not n.endswith(".stored"))
    # All that was recorded beyond the checkpoint is here, and readers say where the rest is.
    with caplog.at_level(logging.WARNING):
        found = read(taken.path, "steps")
    assert found.rows[0] <= AT // ENVS
    assert found.rows[-1] == ROWS - 1
    assert f"rows 0 to {found.rows[0] - 1} of steps lie in" in caplog.text
    assert verify(find_stream(taken.path, "steps")).whole
    ((begin, end),) = [(stretch.begin, stretch.end) for stretch in find_line(taken.path, "steps")]
    assert (begin, end) == (0, None)


def test_records_come_beside_the_training_and_the_rest_when_it_is_asked_for(taken, burnt):
    everything = contents(RunFolder(burnt / "here" / NAME))
    store = open_store(read_left(taken).store)
    models = ["--models", str(taken.path.parent)]
    shipments = sorted(Path(store.url).rglob("*.ship"))

    assert bring_left(taken, store) > 0
    missing = everything.keys() - contents(taken).keys()
    large = {name for name in missing if name.startswith(("checkpoints/", "videos/"))}
    assert len(large) == 3
    assert {name.split("/")[3] for name in missing - large} == {"steps"}
    assert main(["pull", store.url, NAME, *models]) == 0
    assert contents(taken) == everything
    assert read_left(taken).files == ()
    # What came back is in the store already.
    assert main(["sync", str(taken.path), store.url, "--once"]) == 0
    assert sorted(Path(store.url).rglob("*.ship")) == shipments


def test_what_was_put_aside_meanwhile_does_not_come_back(taken):
    path = taken.realtime_data / "episodes" / "episodes_20250101_121500.json"
    files.rename(path, taken.path / "aside.json")

    bring_left(taken, open_store(read_left(taken).store), everything=True)

    assert not path.exists()


def test_a_run_that_went_on_is_whole_for_everybody(taken, burnt, tmp_path, capsysbinary):
    url = read_left(taken).store
    record_attempt(taken.path, 400, num_envs=ENVS, begin=AT, segment_bytes=40_000)
    a_checkpoint(taken, "20250101_110000", AT + 800)  # by a clock that is an hour behind
    assert main(["sync", str(taken.path), url, "--once"]) == 0
    line = [(0, AT), (AT, None)]
    models = taken.path.parent

    third = take_over(open_store(url), NAME, tmp_path / "third").run
    assert [(s.begin, s.end) for s in find_line(taken.path, "steps")] == line
    names = [path.name for path in third.checkpoints.glob("*.zip")]
    assert names == ["checkpoint_20250101_110000.zip"]
    # Of the attempt before only its notes are here, until it comes.
    bring_left(third, open_store(url))
    assert [(s.begin, s.end) for s in find_line(third.path, "steps")] == line
    assert main(["pull", url, NAME, "--models", str(tmp_path / "third")]) == 0
    found = trackway.open(tmp_path / "third")[NAME].steps.collect()
    assert len(found) == AT + 400 * ENVS
    np.testing.assert_array_equal(np.sort(found["timestep"].unique()), np.arange(4, 4801, 4))

    # Programs that look at the run where it went on.
    capsysbinary.readouterr()
    here = ["--models", str(models)]
    for command in ("verify", "streams", "show"):
        assert main([command, NAME, *here]) == 0
        assert "brings them back" in capsysbinary.readouterr().out.decode()
    assert main(["query", "SELECT max(timestep) AS n FROM steps", str(models)]) == 0
    assert main(["fork", NAME, *here, "--at", "1000"]) == 1
    assert "1 older checkpoints and " in capsysbinary.readouterr().err.decode()
    assert main(["backup", str(taken.path), str(tmp_path / "backup")]) == 0
    assert main(["clean", str(models), "--store", url, "--local_gb", "0", "--json"]) == 0
    assert verify(find_stream(taken.path, "steps")).whole
    with serving(models, built_page(tmp_path / "page")) as site:
        told = site.get(f"/api/runs/{NAME}/curves?keys=steps:reward&x=timestep&n=100")
        assert told.status == 200
        assert f"trackway pull {url}" in site.get(f"/api/runs/{NAME}/health").body.decode()
