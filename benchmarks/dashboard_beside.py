"""What the dashboard costs the training that it stands beside, while a browser shows the live page.

    python benchmarks/dashboard_beside.py                  12 robots, some three minutes
    python benchmarks/dashboard_beside.py --num_envs 128

One training goes on; server and browser are stopped by a signal, and let go on, in turns of a few
rollouts, two alone and two beside in each round, in any order. So both kinds see the same policy and
the same noise; what the training does in a rhythm of its own falls on both. The
browser is a stand-in that asks what the page asks: events as they come, and the curves, alerts and
health now and then. CPU is that of the trainer with all its threads; on a busy machine it is the
figure to believe, for time then tells of whoever else wants the processor.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import psutil
from callback_overhead import learner
from stable_baselines3.common.callbacks import BaseCallback, CallbackList

from trackway.dashboard.beside import DashboardBeside
from trackway.legacy import ComprehensiveSavingCallback

RUN = "now"
KEYS = ",".join(
    [
        *(f"episodes:{name}" for name in ("return", "length", "is_success")),
        *(f"updates:train/{name}" for name in ("approx_kl", "clip_fraction", "explained_variance")),
        *(f"updates:train/{name}" for name in ("entropy_loss", "value_loss", "learning_rate")),
        *(f"system:{name}" for name in ("cpu_percent", "memory_bytes", "disk_free_bytes")),
        "steps:reward",
    ]
)
ASKED_S = {f"curves?keys={KEYS}&n=400": 10.0, "alerts": 5.0, "health": 10.0, "overview": 10.0}


def browse(port: int) -> None:
    """Ask what the live page asks, until somebody ends this."""

    def listen() -> None:
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                link.request("GET", f"/api/runs/{RUN}/live?keys={KEYS}&x=timestep")
                answer = link.getresponse()
                while answer.status == 200 and answer.readline():
                    pass
            time.sleep(1)

    threading.Thread(target=listen, daemon=True).start()
    due = dict.fromkeys(ASKED_S, 0.0)
    while True:
        for path, every_s in ASKED_S.items():
            if time.monotonic() >= due[path]:
                due[path] = time.monotonic() + every_s
                with contextlib.suppress(OSError, http.client.HTTPException):
                    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                    link.request("GET", f"/api/runs/{RUN}/{path}")
                    link.getresponse().read()
                    link.close()
        time.sleep(0.2)


class Turns(BaseCallback):
    """Lets the others go on and stop in turns, and keeps what each turn took.

    Attributes:
        took: Wall and CPU seconds of each turn; whether the dashboard was beside.
    """

    def __init__(self, others: list[psutil.Process], rollouts: int) -> None:
        super().__init__()
        self._others, self._rollouts, self._count = others, rollouts, 0
        self._began: tuple[float, float] | None = None
        self._luck, self._order = np.random.default_rng(0), list[bool]()
        self.beside = True
        self.took: list[tuple[bool, float, float]] = []
        self.server_s = 0.0

    def _on_rollout_start(self) -> None:
        if self._count % self._rollouts == 0:
            self._turn()
        self._count += 1

    def _on_step(self) -> bool:
        return True

    def _turn(self) -> None:
        now = time.perf_counter(), time.process_time()
        used_s = self._used_s()
        if self._began is not None:
            wall_s, cpu_s = now[0] - self._began[0], now[1] - self._began[1]
            self.took.append((self.beside, wall_s, cpu_s))
            self.server_s += used_s - self._before_s
        if not self._order:
            self._order = self._luck.permutation([False, False, True, True]).tolist()
        self.beside = self._order.pop()
        for other in self._others:
            (other.resume if self.beside else other.suspend)()
        self._before_s = used_s
        self._began = time.perf_counter(), time.process_time()

    def _used_s(self) -> float:
        times = self._others[0].cpu_times()
        return float(times.user + times.system)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--num_envs", type=int, default=12)
    options.add_argument("--rounds", type=int, default=10, help="of four turns")
    options.add_argument("--rollouts", type=int, default=2, help="of a turn")
    options.add_argument("--browse", type=int, metavar="PORT", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.browse:
        browse(given.browse)
    model = learner(given.num_envs)
    rollout = model.n_steps * model.n_envs
    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRACKWAY_CACHE"] = f"{folder}/cache"
        saving = ComprehensiveSavingCallback(
            Path(folder) / "models" / RUN / "realtime_data", save_frequency=1000, verbose=0
        )
        model.learn(rollout, callback=saving, log_interval=None)  # warm
        with DashboardBeside(Path(folder) / "models", said.append):
            while not said:
                time.sleep(0.05)
            port = said[0].rsplit(":", 1)[1].strip("/")
            server = next(p for p in psutil.Process().children() if "serve" in p.cmdline())
            command = [sys.executable, __file__, "--browse", port]
            with subprocess.Popen(command) as browser:
                time.sleep(5)
                turns = Turns([server, psutil.Process(browser.pid)], given.rollouts)
                saving = ComprehensiveSavingCallback(
                    Path(folder) / "models" / RUN / "realtime_data", save_frequency=1000, verbose=0
                )
                steps = rollout * given.rollouts * (4 * given.rounds + 1)
                model.learn(steps, callback=CallbackList([turns, saving]), log_interval=None)
                for other in (server, psutil.Process(browser.pid)):
                    other.resume()
                browser.kill()
    timesteps = rollout * given.rollouts
    print(f"{given.num_envs} robots, {len(turns.took)} turns of {timesteps} timesteps")
    beside_s = sum(wall_s for beside, wall_s, _ in turns.took if beside)
    print(f"the server took {turns.server_s / beside_s:.1%} of a core while it was beside")
    for name, which in (("time", 1), ("CPU of the trainer", 2)):
        rounds = [turns.took[i : i + 4] for i in range(0, len(turns.took) - 3, 4)]
        ratios = [
            sum(t[which] for t in four if t[0]) / sum(t[which] for t in four if not t[0])
            for four in rounds
        ]
        spread = statistics.stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else float("nan")
        print(
            f"{name}: {statistics.median(ratios) - 1:+.2%} beside the dashboard, median of rounds; "
            f"mean {statistics.fmean(ratios) - 1:+.2%} ± {spread:.2%} (goal 1 %)"
        )


if __name__ == "__main__":
    main()
