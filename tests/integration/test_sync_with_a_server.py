"""Runs shipped to a real S3 server that is killed, cut off and slowed; and read from it."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import numpy as np
import pytest
from tests.support.object_server import BUCKET, ObjectServer
from tests.support.programs import wait_for
from tests.support.proxy import Proxy
from tests.support.segments import NUM_ENVS, SCHEMA, rows

import trackway
from trackway import files
from trackway.cli.main import main as cli
from trackway.errors import FencedError, StreamError, SyncError, UnreachableError
from trackway.run import RunFolder, create_run, new_manifest, write_manifest
from trackway.storage.places import attempts
from trackway.storage.reader import read
from trackway.sync.follower import Follower
from trackway.sync.mirror import Mirror
from trackway.sync.opening import open_store
from trackway.sync.returning import bring_back
from trackway.sync.shipper import Shipper
from trackway.sync.takeover import take_over

pytestmark = [pytest.mark.slow, pytest.mark.crash]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = ObjectServer(tmp_path_factory.mktemp("weed"))
    server.start()
    yield server
    server.remove()


@pytest.fixture
def proxy(server, monkeypatch):
    """Between every client and the server; faults are made here."""
    proxy = Proxy(server.port)
    for name, value in (server.environment | {"AWS_ENDPOINT_URL": proxy.endpoint}).items():
        monkeypatch.setenv(name, value)
    yield proxy
    proxy.close()


@pytest.fixture(autouse=True)
def url(monkeypatch):
    """A place of its own in the bucket for each test."""
    monkeypatch.setattr(sys.modules[__name__], "URL", f"s3://{BUCKET}/lab-{next(_places)}")


@pytest.fixture
def run(tmp_path):
    run = create_run(tmp_path / "여기", "걷기")
    write_manifest(run, new_manifest(command=["x"], config={}))
    return run


_places = itertools.count()
URL = ""


def ship(run, *options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "trackway", "sync", str(run.path), URL, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(run) -> None:
    manifest = json.loads(run.manifest.read_text())
    write_manifest(run, manifest | {"status": "finished"})


def commit(stream, count: int) -> None:
    names = [field.name for field in SCHEMA]
    for _ in range(count):
        columns = rows(stream.committed, 1)
        stream.write({n: c[0] for n, c in zip(names, columns, strict=True)})


def there(run, tmp_path) -> Mirror:
    mirror = Mirror(open_store(URL), run.name, tmp_path / "there")
    while mirror.poll():
        pass
    return mirror


def same_steps(run, mirror) -> None:
    here, copy = read(run.path, "steps"), read(mirror.path, "steps")
    np.testing.assert_array_equal(here.rows, copy.rows)
    for name, column in here.columns.items():
        np.testing.assert_array_equal(column, copy[name])


def test_the_server_and_the_shipper_are_killed_again_and_again(server, proxy, run, tmp_path):
    with trackway.Recorder(run.path) as recorder:
        steps = recorder.stream("steps", SCHEMA, NUM_ENVS)
        for number in range(4):
            shipper = ship(run, "--idle_s", "0.1")
            commit(steps, 300)
            model = run.checkpoints / f"checkpoint_{number}.zip"
            files.publish(model, os.urandom(6 << 20))
            time.sleep(0.4)
            if number % 2:
                server.kill()
                time.sleep(0.3)
                commit(steps, 100)
                server.start()
            shipper.send_signal(signal.SIGKILL)
            shipper.wait()
            shipper.stdout.close()
    finish(run)

    said, _ = (last := ship(run)).communicate(timeout=60)

    assert last.returncode == 0, said
    mirror = there(run, tmp_path)
    same_steps(run, mirror)
    for model in run.checkpoints.glob("*.zip"):
        assert (mirror.path / "checkpoints" / model.name).read_bytes() == model.read_bytes()


@pytest.mark.parametrize(
    "fault", ["refused", "blackhole", "cut", "unavailable", "lost answers", "slow", "twice"]
)
def test_a_network_that_fails_delays_and_loses_nothing(server, proxy, run, tmp_path, fault):
    with trackway.Recorder(run.path) as recorder:
        steps = recorder.stream("steps", SCHEMA, NUM_ENVS)
        shipper = ship(run, "--idle_s", "0.1", "--timeout_s", "1")
        commit(steps, 200)
        store = open_store(URL)
        wait_for(lambda: any("/steps/" in item.key for item in store.list("runs/")))
        proxy.fault = fault
        commit(steps, 200)
        time.sleep(1.2)
        proxy.fault = None
        commit(steps, 200)
    finish(run)

    said, _ = shipper.communicate(timeout=60)

    assert shipper.returncode == 0, said
    same_steps(run, there(run, tmp_path))


def test_what_a_slow_line_does_not_take_in_time_gets_more_time(server, proxy):
    store, data = open_store(URL, timeout_s=1.0), os.urandom(2 << 20)
    proxy.bytes_per_s, proxy.fault = 1e6, "slow"
    with pytest.raises(UnreachableError):
        store.create("runs/a", data)

    # The first try may have arrived, unheard.
    assert store.create("runs/a", data) or store.get("runs/a") == data
    proxy.fault = None
    assert store.get("runs/a") == data


def test_credentials_that_run_out_are_waited_for(server, proxy, run, tmp_path, monkeypatch):
    with trackway.Recorder(run.path) as recorder:
        steps = recorder.stream("steps", SCHEMA, NUM_ENVS)
        commit(steps, 100)
        proxy.fault = "forbidden"
        shipper = ship(run, "--idle_s", "0.1")
        time.sleep(1.5)
        assert shipper.poll() is None
        proxy.fault = None
    finish(run)

    said, _ = shipper.communicate(timeout=60)

    assert shipper.returncode == 0, said
    same_steps(run, there(run, tmp_path))
    store = open_store(URL)
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    kept += [store.get(item.key) for item in store.list("runs/")]
    assert len(kept) > 10
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert not any(os.environ[name].encode() in data for data in (said.encode(), *kept))


def test_keys_are_taken_from_a_profile_and_again_when_they_were_renewed(
    server, proxy, run, tmp_path, monkeypatch
):
    keys = {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    for name in (*keys, "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    config = f"[default]\nregion = us-east-1\nendpoint_url = {proxy.endpoint}\n"
    (tmp_path / ".aws" / "config").write_text(config)

    def write(secret):
        lines = {"aws_access_key_id": keys["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": secret}
        text = "\n".join(["[default]", *(f"{name} = {value}" for name, value in lines.items())])
        (tmp_path / ".aws" / "credentials").write_text(text)

    monkeypatch.setattr("trackway.sync.aws_profile._HOLD_S", 0.0)
    write("expired")
    store = open_store(URL)
    with pytest.raises(UnreachableError) as refused:
        store.create("runs/a", b"b")
    assert "expired" not in str(refused.value)
    write(keys["AWS_SECRET_ACCESS_KEY"])

    assert store.create("runs/a", b"b")


def test_a_clock_that_is_wrong_loses_nothing(server, proxy, run, tmp_path, monkeypatch):
    from tests.support.clock import FakeClock

    from trackway.sync.shipper import Shipper

    class Wrong(FakeClock):
        """Twenty minutes back at every look."""

        def unix_s(self):
            self.now_s -= 1200.0
            return self.now_s

        def monotonic_s(self):
            return time.monotonic()

        def sleep_s(self, duration_s):
            time.sleep(duration_s)

    with trackway.Recorder(run.path) as recorder:
        commit(recorder.stream("steps", SCHEMA, NUM_ENVS), 100)
    finish(run)
    shipper = Shipper(run, open_store(URL), clock=Wrong())
    shipper.run()
    shipper.close()

    same_steps(run, there(run, tmp_path))


@pytest.fixture
def recorded(run):
    """A run of 100 rows, and a shipper of it in this process."""
    with trackway.Recorder(run.path) as recorder:
        commit(recorder.stream("steps", SCHEMA, NUM_ENVS), 100)
    shipper = Shipper(run, open_store(URL))
    yield shipper
    shipper.close()


def test_a_machine_that_was_taken_for_dead_is_fenced(server, proxy, run, recorded, tmp_path):
    recorded.ship()
    heir = take_over(open_store(URL), run.name, tmp_path / "heir").run
    with trackway.Recorder(run.path) as recorder:
        commit(recorder.stream("steps", SCHEMA, NUM_ENVS), 50)

    with pytest.raises(FencedError, match="has taken this run over"):
        recorded.run(until_done=True)
    bring_back(heir, open_store(URL))
    for copy in (there(run, tmp_path).path, heir.path):
        assert [len(read(copy, "steps", attempt=a.name)) for a in attempts(copy)] == [100]
    assert [len(read(run.path, "steps", attempt=a.name)) for a in attempts(run.path)] == [100, 50]


def test_of_two_machines_with_one_identity_one_is_stopped(server, proxy, run, recorded, tmp_path):
    recorded.ship()
    copy = RunFolder(tmp_path / "copy" / run.name)
    shutil.copytree(run.path, copy.path)
    second = Shipper(copy, open_store(URL))
    for folder, shipper in ((copy, second), (run, None)):
        files.publish(
            folder.realtime_data / "episodes" / "a.json", folder.path.parent.name.encode()
        )
        if shipper is not None:
            shipper.ship()
            shipper.close()

    with pytest.raises(SyncError, match="under the same identity"):
        recorded.ship()
    kept = there(run, tmp_path).path / "realtime_data" / "episodes" / "a.json"
    assert kept.read_bytes() == b"copy"


def test_a_disk_that_is_full_delays_and_loses_nothing(
    server, proxy, run, recorded, tmp_path, monkeypatch
):
    recorded.ship()
    with trackway.Recorder(run.path) as recorder:
        commit(recorder.stream("steps", SCHEMA, NUM_ENVS), 200)
    append, full = files.AppendFile.append, []

    def refuse(self, data):
        if self.path.suffix == ".acknowledged" and len(full) < 2:
            full.append(self.path)
            raise OSError(errno.ENOSPC, "No space left on device")
        append(self, data)

    monkeypatch.setattr(files.AppendFile, "append", refuse)
    recorded.run(until_done=True)

    assert len(full) == 2
    same_steps(run, there(run, tmp_path))


def test_runs_of_a_bucket_are_followed_while_they_grow(server, proxy, run, tmp_path):
    stop = threading.Event()
    with trackway.Recorder(run.path) as recorder:
        steps = recorder.stream("steps", SCHEMA, NUM_ENVS)
        shipper = ship(run)
        follower = Follower(open_store(URL), tmp_path / "there")
        thread = threading.Thread(target=follower.follow, args=(stop,))
        thread.start()
        seen = 0
        deadline = time.monotonic() + 40
        # At its usual pace it ships twice a minute; that somebody watches makes it hurry.
        while seen < 300 and time.monotonic() < deadline:
            commit(steps, 5)
            time.sleep(0.1)
            with contextlib.suppress(StreamError, FileNotFoundError):  # nothing of it yet
                seen = len(read(tmp_path / "there" / run.name, "steps"))
    finish(run)
    assert shipper.wait(timeout=60) == 0
    shipper.stdout.close()
    stop.set()
    thread.join()

    assert seen >= 300


def test_a_dashboard_of_a_bucket_shows_its_runs(server, proxy, run, tmp_path, monkeypatch):
    with trackway.Recorder(run.path) as recorder:
        commit(recorder.stream("steps", SCHEMA, NUM_ENVS), 50)
    finish(run)
    assert cli(["sync", str(run.path), URL, "--once"]) == 0
    monkeypatch.setenv("TRACKWAY_CACHE", str(tmp_path / "cache"))
    process = subprocess.Popen(
        [sys.executable, "-m", "trackway", "serve", URL, "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = process.stdout.readline().split()[-1]
        deadline = time.monotonic() + 20
        told = ""
        while run.name not in told and time.monotonic() < deadline:
            with urllib.request.urlopen(f"{address}api/runs") as answer:
                told = json.dumps(json.load(answer), ensure_ascii=False)
            time.sleep(0.2)
    finally:
        process.kill()
        process.communicate()

    assert run.name in told


def test_what_nobody_needs_is_collected_and_nothing_else(server, proxy, run, tmp_path, capfd):
    asked = []
    proxy.translated = lambda request: asked.append(request.split(b"\r\n", 1)[0]) or request
    files.publish(run.final_model, os.urandom(12 << 20))
    finish(run)
    assert cli(["sync", str(run.path), URL, "--once"]) == 0
    # An upload in several parts that breaks off is paid for and seen by nobody: none is begun.
    assert sum(line.startswith(b"PUT") for line in asked) > 3
    assert not any(b"uploads" in line or b"partNumber" in line for line in asked)
    store = open_store(URL)
    needed = [item.key for item in store.list("runs/") if "/blobs/" in item.key]
    store.create(needed[0].rpartition("/")[0] + "/" + "0" * 64, b"of a shipment that never came")
    store.create("preflight/123/object", b"first")

    assert cli(["gc", URL, "--dry-run"]) == 0
    assert len([item for item in store.list("") if "/blobs/" in item.key]) == len(needed) + 1
    assert cli(["gc", URL]) == 0

    assert [item.key for item in store.list("") if "/blobs/" in item.key] == needed
    assert list(store.list("preflight/")) == []
    assert cli(["pull", URL, run.name, "--models", str(tmp_path / "there")]) == 0
    copy = tmp_path / "there" / run.name / "final_model.zip"
    assert copy.read_bytes() == run.final_model.read_bytes()


def test_the_status_tells_who_holds_what(server, proxy, run, capfd):
    finish(run)
    assert cli(["sync", str(run.path), URL, "--once"]) == 0
    capfd.readouterr()

    assert cli(["status", URL, "--json"]) == 0

    (row,) = json.loads(capfd.readouterr().out)
    assert row["run"] == run.name
    assert (row["epoch"], row["abandoned"]) == (1, 0)
    assert row["shipments"] >= 1


def test_a_bucket_is_asked_like_a_folder(server, proxy, run, tmp_path, monkeypatch, capfd):
    with trackway.Recorder(run.path) as recorder:
        commit(recorder.stream("steps", SCHEMA, NUM_ENVS), 50)
    finish(run)
    assert cli(["sync", str(run.path), URL, "--once"]) == 0
    monkeypatch.setenv("TRACKWAY_CACHE", str(tmp_path / "cache"))
    capfd.readouterr()

    assert trackway.open(URL)[run.name].steps.collect().height == 50 * NUM_ENVS
    assert cli(["query", "SELECT count(*) AS n FROM steps", URL, "--format", "csv"]) == 0
    assert capfd.readouterr().out.split() == ["n", str(50 * NUM_ENVS)]
