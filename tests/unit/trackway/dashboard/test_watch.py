import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from tests.support.recorded_run import RecordedRun

from trackway.dashboard import watch as watch_module
from trackway.dashboard.alerts import alerts
from trackway.dashboard.run_list import run_list
from trackway.dashboard.runs import Runs
from trackway.dashboard.views import Views
from trackway.dashboard.watch import Notify, Watch
from trackway.errors import DashboardError
from trackway.query.run_view import RunView


@pytest.fixture
def run(models):
    run = RecordedRun(models / "a")
    run.unix_s = 4e9  # after this watch began
    run.train(20)
    yield run
    run.close()


def watch_of(models, notify=None):
    runs = Runs(models)
    return Watch(runs, Views(runs), notify or Notify())


def test_an_alert_is_told_once_and_again_when_it_comes_again(models, run):
    watch = watch_of(models)
    assert watch.look() == []

    run.event("not_finite", where="reward", env=1)
    new = watch.look()
    assert [alert["kind"] for alert in new] == ["not_finite"]
    assert watch.look() == []
    assert watch.found["a"][0]["run"] == "a"


def test_a_crash_is_told_with_the_number_of_checkpoints_that_it_left(models):
    for name, checkpoints in (("early", 0), ("late", 2)):
        gone = RecordedRun(models / name)
        gone.train(20)
        gone.close()
        manifest = json.loads((gone.path / "run.json").read_text()) | {
            "status": "running",
            "process": {"pid": 1, "started_unix": 0.0},
        }
        (gone.path / "run.json").write_text(json.dumps(manifest))
        (gone.path / "checkpoints").mkdir()
        for i in range(checkpoints):
            (gone.path / "checkpoints" / f"checkpoint_{i}.zip").touch()
    runs = Runs(models)
    views, rows = Views(runs), {row["id"]: row for row in run_list(runs)["runs"]}

    for name, checkpoints in (("early", 0), ("late", 2)):
        with views.use(name) as view:
            (crash,) = alerts(view, runs.facts(name), 4e9)
        assert (crash["kind"], crash["facts"]) == ("crashed", {"checkpoints": checkpoints})
        assert rows[name]["checkpoints"] == checkpoints


def test_what_comes_and_goes_about_one_moment_is_told_once(models, run, monkeypatch):
    watch, since = watch_of(models), time.time()
    found = [{"run": "a", "kind": "collapse", "since_unix": since, "timestep": 1, "facts": {}}]
    looks = [found, [], found, [], [{**found[0], "since_unix": since + 1}]]
    monkeypatch.setattr(watch_module, "alerts", lambda *_: looks.pop(0))

    assert [len(watch.look()) for _ in range(5)] == [1, 0, 0, 0, 1]


def test_returns_that_are_noise_alone_have_not_collapsed(models):
    run, luck = RecordedRun(models / "noise"), np.random.default_rng(3)
    for number in range(8000):
        run._tell("episodes", env=0, episode=number, **{"return": luck.normal()})
    view, runs = RunView(run.path), Runs(models)
    run.close()

    kinds = {alert["kind"] for alert in alerts(view, runs.facts("noise"), 0.0)}
    assert "collapse" not in kinds


def test_the_command_that_the_user_named_gets_the_alert(models, run, tmp_path):
    heard = tmp_path / "heard.json"
    script = f"import sys, pathlib; pathlib.Path({str(heard)!r}).write_text(sys.stdin.read())"
    watch = watch_of(models, Notify((sys.executable, "-c", script)))
    run.event("not_finite", where="reward")
    watch.tell(watch.look()[0])

    assert json.loads(heard.read_text())["kind"] == "not_finite"


def test_the_webhook_gets_the_alert(models, run):
    heard = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    watch = watch_of(models, Notify(webhook=f"http://127.0.0.1:{server.server_port}/alerts"))
    run.event("simulation_diverged", env=3)
    watch.tell(watch.look()[0])
    server.shutdown()
    server.server_close()

    assert heard[0]["kind"] == "diverged"
    assert heard[0]["run"] == "a"


@pytest.mark.parametrize(
    "notify",
    [Notify(("false",)), Notify(("/no/such/program",)), Notify(webhook="http://127.0.0.1:1/")],
)
def test_whoever_cannot_be_told_stops_nothing(models, run, notify, caplog):
    watch = watch_of(models, notify)
    run.event("not_finite", where="reward")
    watch.tell(watch.look()[0])

    assert "failed" in caplog.text or "cannot be reached" in caplog.text


def test_what_cannot_be_a_webhook_or_a_command_is_refused():
    with pytest.raises(DashboardError, match="https"):
        Notify.of(None, "file:///etc/passwd")
    with pytest.raises(DashboardError, match="cannot be read"):
        Notify.of("notify 'me", None)
    assert Notify.of("mail -s 'an alert'", None).command == ("mail", "-s", "an alert")
