import contextlib
import json
import shutil
import socket
import struct
import threading
import time

import numpy as np
import pytest
from tests.support.dashboard import serving
from tests.support.recorded_run import NUM_ENVS, RecordedRun

from trackway.run import RunFolder
from trackway.sync.folder_store import FolderStore
from trackway.sync.mirror import Mirror
from trackway.sync.shipper import Shipper


class Events:
    """A browser's view of server-sent events."""

    def __init__(self, site, path, **headers):
        self._link = socket.create_connection(("127.0.0.1", site.port), timeout=20)
        lines = [
            f"GET {path} HTTP/1.1",
            "Host: localhost",
            *(f"{k}: {v}" for k, v in headers.items()),
        ]
        self._link.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self._file = self._link.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass

    def next(self):
        """The next event: its kind, its id, what it says."""
        told = {}
        for line in self._file:
            text = line.decode().strip()
            name, colon, value = text.partition(": ")
            if name in {"event", "id", "data"} and colon:
                told[name] = value
            elif not text and "event" in told:
                return told["event"], told.get("id"), json.loads(told["data"])
        raise EOFError

    def close(self):
        self._file.close()
        self._link.close()


@pytest.fixture
def run(models):
    run = RecordedRun(models / "a")
    run.train(100)
    yield run
    run.close()


@pytest.fixture
def site(models, page, run):
    with serving(models, page) as site:
        yield site


@pytest.fixture
def listen(site):
    with contextlib.ExitStack() as stack:

        def begin(path, **headers):
            events = Events(site, path, **headers)
            stack.callback(events.close)
            if events.status == 200:  # from here on nothing is missed
                assert events.next()[0] == "here"
            return events

        yield begin


KEYS = "keys=steps:reward,episodes:return,updates:train/value_loss"


def test_new_rows_arrive_as_they_come_and_say_how_far_they_go(run, listen):
    events = listen(f"/api/runs/a/live?{KEYS}")
    run.train(50)

    rows, x = 100, []
    while rows < 150:
        kind, at, told = events.next()
        assert kind == "rows"
        rows = int(at.split(".")[0])
        x += told["curves"].get("steps:reward", {"x": []})["x"]
    assert told["timesteps"] == 150 * NUM_ENVS
    assert x == sorted(set(x))
    assert (x[0] > 100 * NUM_ENVS, x[-1]) == (True, 150 * NUM_ENVS)


def test_writers_that_record_at_once_append_to_one_curve(models, page):
    ranks = [RecordedRun(models / "ranks", rank=rank) for rank in range(2)]
    for rank in ranks:
        rank.train(100, reward=float(rank.recorder._rank))
    with serving(models, page) as site, contextlib.ExitStack() as stack:
        events = Events(site, f"/api/runs/ranks/live?{KEYS}")
        stack.callback(events.close)
        assert events.next()[0] == "here"
        ranks[0].train(60, reward=0.0)
        ranks[1].train(50, reward=1.0)
        x, mean, ended = [], [], 0
        while not x or x[-1] < 150 * NUM_ENVS or ended < 22:
            kind, _, told = events.next()
            assert kind == "rows"
            points = told["curves"].get("steps:reward", {"x": [], "mean": []})
            x, mean = x + points["x"], mean + points["mean"]
            ended += sum(told.get("ended", {"reasons": {}})["reasons"].values())
        whole = frame_of(site, "/api/runs/ranks/curves?keys=steps:reward&n=10")
    for rank in ranks:
        rank.close()

    # As far as both have come; each point is of both.
    assert x == sorted(set(x))
    assert (x[0] > 100 * NUM_ENVS, x[-1]) == (True, 150 * NUM_ENVS)
    assert mean == pytest.approx([0.5] * len(mean), abs=0.2)
    assert ended == 22
    assert whole["x"] == sorted(set(whole["x"]))
    assert whole["mean"][:-1] == pytest.approx([0.5] * (len(whole["x"]) - 1), abs=0.1)


def test_a_run_that_comes_from_a_store_appends_as_one_that_is_recorded_here(models, page, tmp_path):
    run = RecordedRun(tmp_path / "elsewhere" / "far")
    store = FolderStore(tmp_path / "store")
    shipper, mirror = Shipper(RunFolder(run.path), store), Mirror(store, "far", models)

    def arrive(rows):
        run.train(rows)
        assert run.recorder.sync()
        shipper.ship()
        mirror.poll()

    arrive(100)
    with serving(models, page) as site, contextlib.ExitStack() as stack:
        for keys in (KEYS, "keys=updates:train/value_loss"):
            events = Events(site, f"/api/runs/far/live?{keys}")
            stack.callback(events.close)
            assert events.next()[0] == "here"
            arrive(20)
            rows, x = 0, []
            while rows < run.rows:
                kind, at, told = events.next()
                assert kind == "rows"
                rows = int(at.split(".")[0])
                x += told["curves"].get("steps:reward", {"x": []})["x"]
            assert (x[-1:] == [rows * NUM_ENVS]) == (keys == KEYS)
    shipper.close()
    run.close()


def frame_of(site, path):
    """The first curve of a frame: where its buckets end, and their means."""
    body = site.get(path).body
    size = struct.unpack_from("<I", body)[0]
    told = json.loads(body[4 : 4 + size])["curves"][0]
    arrays = np.frombuffer(body, np.float32, offset=4 + size).reshape(-1, told["n"])
    return {"x": (told["from"] + arrays[0]).tolist(), "mean": arrays[-1].tolist()}


def test_a_browser_that_was_away_goes_on_where_it_was(run, listen):
    run.train(50)
    told = {}
    events = listen("/api/runs/a/live?" + KEYS, **{"Last-Event-ID": "120.24.2.2.1"})
    kind, _, told = events.next()

    assert kind == "rows"
    assert told["curves"]["steps:reward"]["x"][0] > 120 * NUM_ENVS
    assert len(told["curves"]["episodes:return"]["x"]) == 6
    assert sum(told["ended"]["reasons"].values()) == 6
    assert len(told["curves"]["updates:train/value_loss"]["x"]) == 1


@pytest.mark.parametrize("since", ["nonsense", "1.2", "-1.0.0.0.0", "9" * 400])
def test_a_position_that_is_none_begins_with_what_comes(run, listen, since):
    events = listen(f"/api/runs/a/live?{KEYS}&since={since}")
    run.train(1)

    assert events.next()[0] == "rows"


def test_a_position_beyond_the_end_is_drawn_anew(listen):
    events = listen(f"/api/runs/a/live?{KEYS}&since=99999.0.0.0.0")

    assert events.next()[0] == "anew"


def test_a_nan_and_an_event_are_told_at_once(run, listen):
    events = listen(f"/api/runs/a/live?{KEYS}")
    run.train(3, nan_at=101)
    run.event("checkpoint", path="x.zip")

    bad, kinds = False, []
    while not (bad and kinds):
        _, _, told = events.next()
        bad |= bool(told["curves"].get("steps:reward", {}).get("bad"))
        kinds += [marker["kind"] for marker in told.get("markers", [])]
    assert kinds == ["checkpoint"]


def test_an_unknown_run_is_no_stream(listen):
    assert listen("/api/runs/nope/live").status == 404


def test_a_reader_that_takes_nothing_costs_nobody_else_anything(run, site, listen):
    stuck = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(20)]
    for link in stuck:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.sendall(f"GET /api/runs/a/live?{KEYS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    events = listen(f"/api/runs/a/live?{KEYS}")
    for _ in range(10):
        run.train(30)
        time.sleep(0.05)

    rows = 0
    while rows < 400:
        rows = int(events.next()[1].split(".")[0])
    for link in stuck:
        link.close()
    assert site.get("/api/runs").status == 200


def test_a_run_that_vanishes_under_its_readers_leaves_the_others_alone(models, site, listen):
    other = RecordedRun(models / "b")
    other.train(50)
    other.close()
    events = listen(f"/api/runs/b/live?{KEYS}&since=40.8.0.0.1")
    assert events.next()[0] == "rows"
    assert site.get("/api/runs/b/overview").status == 200

    shutil.rmtree(models / "b")
    time.sleep(0.3)

    assert site.get("/api/runs/b/overview").status in {404, 422}
    assert site.get("/api/runs/a/overview").status == 200


def test_a_file_that_vanishes_while_it_is_read_is_told_and_not_a_crash(models, site):
    other = RecordedRun(models / "c")
    other.train(200)
    other.close()
    stop = threading.Event()

    def delete():
        for path in sorted((models / "c").rglob("*.seg")):
            path.unlink()
            time.sleep(0.002)
        stop.set()

    threading.Thread(target=delete).start()
    statuses = set()
    while not stop.is_set():
        statuses.add(site.get("/api/runs/c/curves?keys=steps:reward,steps:torque#1").status)
    statuses.add(site.get("/api/runs/c/curves?keys=steps:terminated").status)

    assert statuses <= {200, 404, 422}
    assert site.get("/api/runs/a/overview").status == 200


def test_a_corrupt_run_stands_among_the_good_ones_and_says_what_is_wrong(models, site):
    for name, damage in {"d1": b"{", "d2": b'{"format": "other"}', "d3": b"\x00" * 100}.items():
        (models / name).mkdir()
        (models / name / "run.json").write_bytes(damage)
    bad = RecordedRun(models / "d4")
    bad.train(100)
    bad.close()
    for path in (models / "d4").rglob("*.seg"):
        path.write_bytes(b"\xff" * 500)
    time.sleep(1.1)
    rows = {row["id"]: row for row in site.get("/api/runs").json()["runs"]}

    assert set(rows) == {"a", "d1", "d2", "d3", "d4"}
    assert rows["d1"]["state"] == "damaged"
    assert rows["d1"]["error"]
    assert rows["a"]["state"] == "running"
    for name in rows:
        assert site.get(f"/api/runs/{name}/overview").status < 500
        assert site.get(f"/api/runs/{name}/curves?keys=steps:reward").status < 500
        assert site.get(f"/api/runs/{name}/shares").status < 500
