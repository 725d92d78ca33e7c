"""Who holds a run in a store: one at a time, and whoever held it before finds out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.clock import FakeClock
from tests.support.programs import trackway_command
from tests.support.shipping import mirror, record, shipped, shipper, values

from trackway import files
from trackway.errors import FencedError, SyncError
from trackway.run import RunFolder, new_manifest, write_manifest
from trackway.sync import layout, lease
from trackway.sync.folder_store import FolderStore
from trackway.sync.shipper import Shipper


def test_whoever_takes_over_fences_the_one_before(bench, store, tmp_path):
    record(bench, 50)
    zombie = shipper(bench, store)
    zombie.run(until_done=True)
    prefix = layout.rank_prefix("달리기 1", 0)

    lease.claim(store, prefix, "another", bench.clock)
    record(bench, 20)

    with pytest.raises(FencedError, match="has taken this run over"):
        zombie.run(until_done=True)
    # What it shipped after that lies beyond the end of its epoch.
    assert len(values(mirror(store, tmp_path).path)) == 50
    assert lease.end(store, prefix, 1, "steps") > lease.epochs(store, prefix)[-1].ends["steps"]


def test_a_store_that_is_a_folder_is_resumed_from_like_any_other(bench, store, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    says = "import os; print(os.environ['TRACKWAY_STORE'], 'TRACKWAY_CLAIMED_UNIX' in os.environ)"
    program = {"folder": str(tmp_path), "resume": [sys.executable, "-c", says]}
    write_manifest(RunFolder(bench.run), new_manifest(command=["x"], config={}, program=program))
    shipped(bench, store)

    resumed = subprocess.run(
        trackway_command("resume", "../store", bench.run.name),
        cwd=tmp_path / "elsewhere",
        capture_output=True,
        text=True,
    )

    assert resumed.returncode == 0, resumed.stderr
    told, claimed = resumed.stdout.split()
    assert (Path(told).is_absolute(), Path(told).resolve()) == (True, tmp_path / "store")
    assert claimed == "True"
    assert (tmp_path / "elsewhere" / "models" / bench.run.name / "run.json").exists()


def test_of_two_who_claim_at_once_one_holds_the_run(store):
    clock = FakeClock()

    class Racing(FolderStore):
        def create(self, key, data):
            if "epochs" in key and not self.raced:
                self.raced = True
                lease.claim(store, "runs/a/0/", "faster", clock)
            return super().create(key, data)

    racing = Racing(store._path)
    racing.raced = False

    with pytest.raises(FencedError):
        lease.claim(racing, "runs/a/0/", "slower", clock)
    assert [epoch.writer for epoch in lease.epochs(store, "runs/a/0/")] == ["faster"]


def test_two_shippers_of_one_folder_are_one_too_many(bench, store):
    first = shipper(bench, store)

    with pytest.raises(SyncError, match="another process ships"):
        shipper(bench, store)
    first.close()


def test_a_copy_of_the_folder_with_the_same_identity_is_found_out(bench, store, tmp_path):
    record(bench, 30)
    shipped(bench, store)
    copy = tmp_path / "copy" / bench.run.name
    shutil.copytree(bench.run, copy)
    first = shipper(bench, store)
    first.ship()
    second = Shipper(RunFolder(copy), store, clock=bench.clock)
    second.ship()
    files.publish(copy / "realtime_data/a.json", b"[2]")
    second.ship()
    files.publish(bench.run / "realtime_data/a.json", b"[1]")

    with pytest.raises(SyncError, match="same identity"):
        first.ship()
