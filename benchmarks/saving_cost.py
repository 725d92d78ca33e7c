"""What saving takes from processors: on the training's thread, beside it, and in the writer process.

    python benchmarks/saving_cost.py                12 robots, a save every 100 timesteps
    python benchmarks/saving_cost.py --num_envs 256 --frequency 12800
    python benchmarks/saving_cost.py --record_steps    the streams as well

CPU time of threads and processes, not time that passes: the figures hold on a busy machine, too. A
training of the Go1 runs with the callback alone; each of its steps is sorted by what it did.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import psutil
from callback_overhead import learner
from stable_baselines3.common.callbacks import BaseCallback

from trackway.legacy import ComprehensiveSavingCallback


class Meter(BaseCallback):
    """Calls a saving callback and sorts the thread's CPU time, us, by what a call did."""

    def __init__(self, saving: ComprehensiveSavingCallback) -> None:
        super().__init__()
        self.saving = saving
        self.spent: dict[str, list[float]] = {
            name: [] for name in ("step", "episode", "save", "checkpoint", "rollout")
        }
        self.threads_us = self.writer_us = 0.0

    def _init_callback(self) -> None:
        self.saving.init_callback(self.model)

    def _on_training_start(self) -> None:
        self.saving.on_training_start(self.locals, self.globals)
        while not self.saving.status.files:
            time.sleep(0.01)  # the writer's start is no part of the training
        self._begun = self._beside()

    def _on_rollout_start(self) -> None:
        self._time("rollout", self.saving.on_rollout_start)

    def _on_step(self) -> bool:
        before = self.num_timesteps - self.training_env.num_envs
        kind = "episode" if self.locals["dones"].any() else "step"
        if self.num_timesteps // self.saving.save_frequency > before // self.saving.save_frequency:
            kind = "save"
        often = self.saving.checkpoint_frequency
        if self.num_timesteps // often > before // often:
            kind = "checkpoint"
        self._time(kind, self.saving.on_step)
        return True

    def _on_training_end(self) -> None:
        threads, writer = self._beside()
        self.threads_us, self.writer_us = threads - self._begun[0], writer - self._begun[1]
        self.saving.on_training_end()

    def _time(self, kind: str, call: Any) -> None:
        begun_ns = time.thread_time_ns()
        call()
        self.spent[kind].append((time.thread_time_ns() - begun_ns) / 1e3)

    def _beside(self) -> tuple[float, float]:
        """CPU of the recording's threads in the trainer and of the writer process so far, us."""
        threads = 0.0
        for thread in threading.enumerate():
            if thread.name.startswith("trackway"):
                threads += _ran_us(Path(f"/proc/self/task/{thread.native_id}"))
        session: Any = self.saving._session
        writer = Path(f"/proc/{session.outbox.writer_pid}/task")
        return threads, sum(map(_ran_us, writer.iterdir()))


def _ran_us(task: Path) -> float:
    """Time that a thread has run, to the nanosecond."""
    return float((task / "schedstat").read_text().split()[0]) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--num_envs", type=int, default=12)
    parser.add_argument("--steps", type=int, default=49_152)
    parser.add_argument("--frequency", type=int, default=100)
    parser.add_argument("--checkpoint_frequency", type=int, default=10_000)
    parser.add_argument("--record_steps", action="store_true", help="the streams as well")
    arguments = parser.parse_args()
    model = learner(arguments.num_envs)
    model.learn(arguments.steps // 8, log_interval=None)  # warm
    with tempfile.TemporaryDirectory() as folder:
        saving = ComprehensiveSavingCallback(
            Path(folder) / "realtime_data",
            save_frequency=arguments.frequency,
            checkpoint_frequency=arguments.checkpoint_frequency,
            verbose=0,
            record_steps=arguments.record_steps,
        )
        meter = Meter(saving)
        switches = psutil.Process().num_ctx_switches()
        model.learn(arguments.steps, callback=meter, log_interval=None)
        switched = psutil.Process().num_ctx_switches().voluntary - switches.voluntary
    print(f"{arguments.num_envs} robots, {arguments.steps} timesteps, CPU in us (median, mean)")
    plain = statistics.median(meter.spent["step"])
    for kind, values in meter.spent.items():
        if values:
            middle, mean = statistics.median(values), statistics.fmean(values)
            print(f"training thread, {kind:10s} {middle:8.1f} {mean:8.1f}  x {len(values)}")
    saves = len(meter.spent["save"]) + len(meter.spent["checkpoint"])
    print(f"a save beyond a plain step   {statistics.median(meter.spent['save']) - plain:8.1f}")
    print(f"other threads, each save     {meter.threads_us / saves:8.1f}")
    print(f"writer process, each save    {meter.writer_us / saves:8.1f}")
    print(f"voluntary switches, each save {switched / saves:7.1f}")
    total = sum(sum(values) for values in meter.spent.values()) + meter.threads_us
    print(f"in all, each 100 timesteps   {100 * total / arguments.steps:8.1f}")
    print(f"with the writer              {100 * (total + meter.writer_us) / arguments.steps:8.1f}")


if __name__ == "__main__":
    main()
