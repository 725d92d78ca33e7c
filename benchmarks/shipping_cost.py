"""What a shipper takes from the training beside it, and of a core.

    python benchmarks/shipping_cost.py                    to an S3 that does no work, 40 ms to every request
    python benchmarks/shipping_cost.py --store server     to a real one, which takes its share of the cores
    python benchmarks/shipping_cost.py --store folder --files 0

The showpiece trains and records every step; a shipper sends what is new once a second. It is held
(SIGSTOP) in every other stretch of some rollouts, so both kinds of stretches meet the same machine
and the same policy; what it was held from it sends in the next one, so a stretch with it carries
twice its load. Compared are the trainer's processor time for a rollout with its update, which says
what sharing caches and memory costs, and the clock's, which counts on a quiet machine only. The far side is
another machine's work, so by default there is none: what comes is taken from the socket, and dropped.
`--files` is how many JSON files of an older time lie in the run: it looks at all of them each time.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from go1.threads import set_torch_threads  # isort: skip  # before torch is imported

import psutil
from stable_baselines3.common.callbacks import BaseCallback

sys.path.insert(0, str(Path(__file__).parents[1]))  # the server of the tests

from tests.support.far_bucket import far_bucket
from tests.support.nowhere import nowhere

from go1.training.environments import training_envs
from go1.training.learner import make_learner
from go1.training.settings import resolve
from trackway import files
from trackway.run import RunFolder, create_run, new_manifest, write_manifest
from trackway.sb3 import RecorderCallback

WARM_S = 5.0


class Stretches(BaseCallback):
    """Holds the shipper in every other stretch, and times rollouts in both.

    Attributes:
        cpu_s, wall_s: By whether the shipper ran, of each rollout with its update.
    """

    def __init__(self, shipper: psutil.Process, seconds: float, rollouts: int) -> None:
        super().__init__()
        self._shipper, self._seconds, self._rollouts = shipper, seconds, rollouts
        self._turns = itertools.cycle([True] * rollouts + [False] * rollouts)
        self._runs = True
        self.cpu_s: dict[bool, list[float]] = {True: [], False: []}
        self.wall_s: dict[bool, list[float]] = {True: [], False: []}

    def _on_training_start(self) -> None:
        self._began_s = time.perf_counter()
        self._at: tuple[float, float] | None = None
        self.spent_s = 0.0

    def _on_rollout_start(self) -> None:
        now = time.process_time(), time.perf_counter()
        if now[1] - self._began_s < WARM_S:
            self._before_s, self.from_s = sum(self._shipper.cpu_times()[:2]), now[1]
            return
        if self._at is not None:
            self.cpu_s[self._runs].append(now[0] - self._at[0])
            self.wall_s[self._runs].append(now[1] - self._at[1])
        self.spent_s = sum(self._shipper.cpu_times()[:2]) - self._before_s
        self.lasted_s = now[1] - self.from_s
        self._runs = next(self._turns)
        self._shipper.send_signal(signal.SIGCONT if self._runs else signal.SIGSTOP)
        self._at = time.process_time(), time.perf_counter()

    def _on_step(self) -> bool:
        return time.perf_counter() - self._began_s < self._seconds + WARM_S


def measure(run: RunFolder, url: str, given: argparse.Namespace) -> None:
    settings = resolve({}, Path(__file__).parents[1] / "configs/walk.toml")
    set_torch_threads(1)
    for number in range(given.files):
        folder = run.realtime_data / ("episodes", "environment_states")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"old_{number}.json").write_bytes(b"[]")
    write_manifest(run, new_manifest(command=["benchmark"], config={}))
    # What is old is there already.
    sync = [sys.executable, "-m", "trackway", "sync", str(run.path), url]
    subprocess.run([*sync, "--once"], check=True, stdout=subprocess.DEVNULL)
    shipper = psutil.Popen([*sync, "--idle_s", "1", "--beside-training"])
    try:
        learner = make_learner(settings, training_envs(settings), None)
        stretches = Stretches(shipper, given.seconds, given.rollouts)
        learner.learn(10**9, callback=[stretches, RecorderCallback(run.path)])
    finally:
        shipper.kill()
        shipper.wait()
    size = sum(path.stat().st_size for path in run.path.rglob("*/steps/*") if path.is_file())
    cpu, wall = (
        statistics.median(told[False]) / statistics.median(told[True])
        for told in (stretches.cpu_s, stretches.wall_s)
    )
    print(
        f"{url}: {len(stretches.wall_s[True])} rollouts with a shipper, "
        f"{len(stretches.wall_s[False])} without; {size / 1e6:.0f} MB of steps, {given.files} old files"
    )
    print(f"  throughput with it: {cpu:.3f} by the trainer's CPU time, {wall:.3f} by the clock")
    share = stretches.spent_s / stretches.lasted_s
    print(
        f"  the shipper took {share:.2%} of a core, {1e9 * stretches.spent_s / size:.0f} ns a byte"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--store", choices=("nowhere", "folder", "server"), default="nowhere")
    parser.add_argument("--delay_ms", type=float, default=40.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rollouts", type=int, default=4, help="of a stretch")
    parser.add_argument("--files", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = create_run(folder / "here", "ships")
        files.make_folder(run.realtime_data)
        if given.store == "folder":
            measure(run, str(folder / "store"), given)
            return
        delay_s = given.delay_ms / 1e3
        far = nowhere(delay_s) if given.store == "nowhere" else far_bucket(folder / "weed", delay_s)
        with far as url:
            measure(run, url, given)


if __name__ == "__main__":
    main()
