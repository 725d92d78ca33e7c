"""The wheel as it is given to people: it holds the page, and serves it. `make soak`."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parents[2]
NODE_MODULES = ROOT / "web" / "node_modules"
pytestmark = [
    pytest.mark.skipif("TRACKWAY_SOAK" not in os.environ, reason="builds wheels: make soak"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """What git holds, so that nothing which was built here gets into a wheel."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    return folder


def wheel(checkout, target, path) -> tuple[Path, str]:
    """Build a wheel with these folders to find programs in; it, and what was said."""
    command = [sys.executable, "-m", "pip", "wheel", "-v", "--no-deps", "-w", target, checkout]
    made = subprocess.run(
        command,
        env={**os.environ, "PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    (found,) = target.glob("trackway-*.whl")
    return found, made.stdout + made.stderr


def installed(wheel, folder) -> dict[str, str]:
    """Variables with which the installed wheel is what `trackway` means."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder, wheel]
    subprocess.run(command, check=True)
    return {**os.environ, "PYTHONPATH": str(folder), "TRACKWAY_CACHE": str(folder / "cache")}


def serve(folder, environment):
    command = [sys.executable, "-P", "-m", "trackway", "serve", folder, "--port", "0"]
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.skipif(not NODE_MODULES.exists(), reason="there is no npm: scripts/build-web")
def test_the_wheel_holds_the_page_and_serves_it(tmp_path, checkout):
    (checkout / "web" / "node_modules").symlink_to(NODE_MODULES.resolve())
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    found, _ = wheel(checkout, tmp_path, path)
    (checkout / "web" / "node_modules").unlink()
    names = zipfile.ZipFile(found).namelist()

    assert "trackway/dashboard/static/index.html.br" in names
    assert any(name.startswith("trackway/replay/static/") for name in names)
    assert not any(name.startswith(("go1/", "tests/", "web/")) for name in names)
    (tmp_path / "models").mkdir()
    with serve(tmp_path / "models", installed(found, tmp_path / "site")) as server:
        try:
            address = server.stdout.readline().rsplit(" ", 1)[1].strip()
            with urlopen(address) as page:
                text = page.read().decode()
            with urlopen(address + "api/runs") as answer:
                assert answer.status == 200
        finally:
            server.terminate()
    for name in names:
        if name.startswith("trackway/dashboard/static/assets/index-") and name.endswith(".js"):
            assert name.rsplit("/", 1)[1] in text


def test_without_npm_the_build_and_the_server_say_so(tmp_path, checkout):
    shutil.rmtree(checkout / "src" / "trackway" / "dashboard" / "static", ignore_errors=True)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "dirname", "env"):
        (programs / name).symlink_to(shutil.which(name))
    found, said = wheel(checkout, tmp_path, str(programs))

    assert "there is no npm" in said
    with serve(tmp_path, installed(found, tmp_path / "site")) as server:
        assert "the page has not been built" in server.communicate(timeout=60)[1]
    assert server.returncode == 1
