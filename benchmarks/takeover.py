"""How soon a training goes on on another machine, when its own has burnt.

    python benchmarks/takeover.py                 the showpiece, 40 ms added to every request
    python benchmarks/takeover.py --delay_ms 0 --checkpoints 40

A training ships itself to a real S3 server and is killed with all that belongs to it. `trackway resume`
then takes the run over in another folder: claims it, fetches what going on needs, starts the program,
restores the checkpoint. Printed are the seconds from the claim to the first step, as the training itself
says, those of the whole command until then, the processor time that its process took, which counts on a
busy machine, and how much of the run was here by then.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))  # the server and the programs of the tests

from tests.support.far_bucket import far_bucket
from tests.support.programs import ROOT, start, trackway_command, train_command

from trackway.run import list_runs
from trackway.sync import layout, lease
from trackway.sync.opening import open_store

_SAID = re.compile(r"First step ([0-9.]+) s after")
_GOAL_S = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--delay_ms", type=float, default=40.0)
    parser.add_argument("--checkpoints", type=int, default=10, help="in the store, of 25,000 steps")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with far_bucket(folder / "weed", given.delay_ms / 1e3) as url:
            burn(folder, url, given.checkpoints)
            take_over(folder, url, list_runs(folder / "here" / "models")[0].name)


def burn(folder: Path, url: str, checkpoints: int) -> None:
    """Train until so many checkpoints are in the store, then end everything at once."""
    (folder / "here").mkdir()
    command = train_command(
        *("--run", "train", "--config", ROOT / "configs" / "walk.toml", "--store", url),
        *("--checkpoint_frequency", "25_000", "--total_timesteps", "100_000_000"),
    )
    training = start(folder / "here", command)
    store = open_store(url)
    prefix = ""
    while not prefix or lease.end(store, prefix, 1, layout.LANES[1]) < checkpoints:
        time.sleep(0.5)
        for run in store.folders("runs/"):
            prefix = f"runs/{run}/0/"
            store.put(layout.watched_key(prefix), os.urandom(8).hex().encode())  # it hurries
    kill(training)


def take_over(folder: Path, url: str, run: str) -> None:
    (folder / "there").mkdir()
    began_s = time.perf_counter()
    resumed = start(folder / "there", trackway_command("resume", url, run))
    assert resumed.stdout is not None
    said = None
    for line in resumed.stdout:
        if said := _SAID.search(line):
            break
    whole_s = time.perf_counter() - began_s
    spent_s = sum(psutil.Process(resumed.pid).cpu_times()[:2])
    here, there = (size(folder / machine / "models" / run) for machine in ("here", "there"))
    kill(resumed)
    assert said, "it made no step"
    print(f"first step {said[1]} s after the claim (goal {_GOAL_S:g} s)")
    print(f"  {whole_s:.1f} s after the command, {spent_s:.1f} s of processor time in its process")
    print(f"  {there / 1e6:.0f} MB of {here / 1e6:.0f} MB were here by then")


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def kill(training: subprocess.Popen[str]) -> None:
    """With its shipper and writers, as a machine that burns takes all of them."""
    everything = [*psutil.Process(training.pid).children(recursive=True), training]
    for process in everything:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    training.communicate()


if __name__ == "__main__":
    main()
