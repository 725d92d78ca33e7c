"""`trackway serve` as a process, and beside a training."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from urllib.request import urlopen

import psutil
import pytest
from tests.support.recorded_run import RecordedRun

from trackway.cli.main import main
from trackway.dashboard.beside import DashboardBeside
from trackway.dashboard.static import BUILT

pytestmark = pytest.mark.skipif(
    not (BUILT / "index.html").exists(), reason="the page is not built: scripts/build-web"
)


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKWAY_CACHE", str(tmp_path / "cache"))
    run = RecordedRun(tmp_path / "models" / "a")
    run.train(20)
    run.close()
    return tmp_path / "models"


@contextlib.contextmanager
def served(*arguments, **environment):
    command = [sys.executable, "-m", "trackway", "serve", *map(str, arguments)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as server:
        try:
            yield server, server.stdout.readline().strip()
        finally:
            server.kill()


def test_it_prints_one_address_and_ends_tidily_while_somebody_listens(models):
    with served(models, "--port", "0") as (server, said):
        address = said.rsplit(" ", 1)[1]
        with urlopen(address + "api/runs") as answer:
            assert b'"id":"a"' in answer.read()
        port = int(address.rsplit(":", 1)[1].strip("/"))
        with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
            link.sendall(
                b"GET /api/runs/a/live?keys=steps:reward HTTP/1.1\r\nHost: localhost\r\n\r\n"
            )
            assert b"200" in link.recv(1000)
            server.send_signal(signal.SIGTERM)
            complaints = server.communicate(timeout=20)[1]

    assert "Traceback" not in complaints
    assert "rror" not in complaints


def test_when_exposed_the_printed_address_carries_the_token(models):
    token = "a-token-of-some-length"
    with served(models, "--port", "0", "--host", "0.0.0.0", TRACKWAY_TOKEN=token) as (_, said):
        assert said.endswith(f"/#token={token}")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "0.0.0.0"], "TRACKWAY_TOKEN"),
        (["--allow-host", "runs.example.org"], "TRACKWAY_TOKEN"),
        (["--token-file", "/no/such/file"], "cannot be read"),
        (["--alert-webhook", "ftp://x"], "https://"),
    ],
)
def test_what_cannot_be_served_so_is_said_in_a_sentence(
    models, capsys, monkeypatch, arguments, says
):
    monkeypatch.delenv("TRACKWAY_TOKEN", raising=False)

    assert main(["serve", str(models), *arguments]) == 1
    assert says in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(models, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["serve", str(models), "--port", str(taken.getsockname()[1])]) == 1

    assert "--port" in capsys.readouterr().err


def test_beside_a_training_it_steps_back_and_ends_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKWAY_CACHE", str(tmp_path / "cache"))
    said = []
    with DashboardBeside(tmp_path / "models", said.append) as page:
        while not said:
            time.sleep(0.02)
        server = psutil.Process(page._child.pid)
        assert server.nice() > 0
        with urlopen(said[0].rsplit(" ", 1)[1] + "api/runs") as answer:
            assert answer.status == 200

    assert not server.is_running()


def test_when_the_training_is_killed_its_dashboard_ends(tmp_path):
    program = (
        "import sys, time\nfrom pathlib import Path\n"
        "from trackway.dashboard.beside import DashboardBeside\n"
        "with DashboardBeside(Path(sys.argv[1]), lambda what: print(what, flush=True)) as page:\n"
        "    print(page._child.pid, flush=True)\n    time.sleep(60)\n"
    )
    environment = {**os.environ, "TRACKWAY_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "models")],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as training:
        lines = [training.stdout.readline(), training.stdout.readline()]
        server = psutil.Process(int(min(lines, key=len)))
        assert any("http://127.0.0.1" in line for line in lines)
        training.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        server.wait(20)

    assert not server.is_running()
