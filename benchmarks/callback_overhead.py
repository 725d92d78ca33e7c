"""What recording costs a training: throughput with the callbacks over throughput without.

    python benchmarks/callback_overhead.py                 12 robots, a quiet minute or two
    python benchmarks/callback_overhead.py --num_envs 256  the showpiece's settings

The same learner trains on the same robots in turns: a stretch without callbacks, one that saves
every 1000 timesteps, one every 100, and again, each round in another order. Machines are noisy, and
noise only ever takes time. A stretch is long enough to meet some in every round, so it is timed in
pieces of 64 steps of all robots: of each piece the best round counts, and the sums are compared.
Beside it stands the median of the rounds' ratios, with its error. Where a machine is noisier than what
is sought, look at the share: so much of the training's thread is spent within the callbacks and within
what they put around the environments, as clocks there have measured it. It lacks what others in the
trainer and beside it cost the thread. A stretch begins with a rollout that is not counted: its first step
begins a stream, its beginning captures everything for the first time, the writer process starts. What
that and the end of a recording take, a training pays once; it is printed apart. CPU is that of the
trainer with all its threads, without the writer, which is nice and has idle time to use.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback, CallbackList

from go1.vec_env import Go1VecEnv
from trackway.legacy import ComprehensiveSavingCallback, CurriculumCallback

# The curriculum belongs to the callbacks, its effect on the robots does not: they have it always.
TRAINING, RAND_POWER = 5_000_000, 0.1
GOALS = {1000: 0.97, 100: 0.93}
PIECE = 64  # steps of all robots


def timed(method: Callable[..., Any], total: str) -> Callable[..., Any]:
    """The method, which adds the time that it takes to an attribute of its object, ns."""

    def wrapped(self: Any, *arguments: Any) -> Any:
        began_ns = time.perf_counter_ns()
        result = method(self, *arguments)
        setattr(self, total, getattr(self, total) + time.perf_counter_ns() - began_ns)
        return result

    return wrapped


class TimedEnvs(Go1VecEnv):
    """Notes how much of a step is not its own: what is put around it, and what it calls.

    Attributes:
        others_ns: That time, so far.
    """

    _whole_ns = _own_ns = _called_ns = 0
    _hook: Callable[[], None] | None = None

    @property
    def others_ns(self) -> int:
        return self._whole_ns - self._own_ns + self._called_ns

    @property
    def before_restart(self) -> Callable[[], None] | None:
        return self._hook

    @before_restart.setter
    def before_restart(self, hook: Callable[[], None] | None) -> None:
        call = timed(lambda envs: hook(), "_called_ns")
        self._hook = None if hook is None else partial(call, self)

    step = timed(Go1VecEnv.step, "_whole_ns")
    step_async = timed(Go1VecEnv.step_async, "_own_ns")
    step_wait = timed(Go1VecEnv.step_wait, "_own_ns")


class TimedCallbacks(CallbackList):
    """Notes how long its callbacks take while training lasts.

    Attributes:
        spent_ns: That time, so far.
    """

    spent_ns = 0
    update_locals = timed(CallbackList.update_locals, "spent_ns")
    on_rollout_start = timed(CallbackList.on_rollout_start, "spent_ns")
    on_step = timed(CallbackList.on_step, "spent_ns")


def learner(num_envs: int) -> PPO:
    """PPO as `train.py` sets it up, on so many robots."""
    envs = TimedEnvs(num_envs, seed=0)
    envs.env_method("set_rand_power", RAND_POWER)
    network = {"net_arch": [128, 128], "activation_fn": torch.nn.ELU, "log_std_init": -0.5}
    return PPO(
        "MlpPolicy",
        envs,
        learning_rate=1e-3,
        n_steps=6144 // num_envs,
        batch_size=1536,
        n_epochs=5,
        ent_coef=0.005,
        max_grad_norm=1.0,
        policy_kwargs=network,
        device="cpu",
        seed=0,
    )


class Stopwatch(BaseCallback):
    """The first callback of a list: its events enclose the training and nothing else.

    It starts with the second rollout.

    Attributes:
        at: The wall, the trainer's processors and what was spent within the recording, s, where a piece
            ends and the next begins, `[pieces + 1, 3]`.
    """

    def __init__(self, recording: TimedCallbacks) -> None:
        super().__init__()
        self._recording = recording
        self._rollouts = self._steps = 0
        self.at: list[tuple[float, float, float]] = []

    def _on_rollout_start(self) -> None:
        self._rollouts += 1
        if self._rollouts == 2:
            self._note()

    def _on_step(self) -> bool:
        if self.at:
            self._steps += 1
            if self._steps % PIECE == 0:
                self._note()
        return True

    def _on_training_end(self) -> None:
        self._note()

    def _note(self) -> None:
        within_ns = self.training_env.others_ns + self._recording.spent_ns
        self.at.append((time.perf_counter(), time.process_time(), within_ns / 1e9))


class Times:
    """What the stretches of one case took, s.

    Attributes:
        pieces: As `Stopwatch` has them, of every round, `[rounds, pieces, 3]`.
        around: What came before and after, `[rounds]`.
    """

    def __init__(self) -> None:
        self.pieces: list[np.ndarray] = []
        self.around: list[float] = []

    def best(self) -> np.ndarray:
        """Of each piece the best round, `[3]`."""
        return np.min(self.pieces, axis=0).sum(axis=0)

    def rounds(self) -> np.ndarray:
        """The wall, `[rounds]`."""
        return np.sum(self.pieces, axis=1)[:, 0]

    def share(self) -> float:
        """What is spent within the recording, of the wall; the median round."""
        wall, _, within = np.sum(self.pieces, axis=1).T
        return float(np.median(within / wall))


def stretch(
    model: PPO, steps: int, times: Times, saving: ComprehensiveSavingCallback | None = None
) -> None:
    """Train so many steps."""
    start_s = time.perf_counter()
    recording = TimedCallbacks(
        [] if saving is None else [CurriculumCallback(TRAINING, RAND_POWER), saving]
    )
    watch = Stopwatch(recording)
    rollout = model.n_steps * model.n_envs
    model.learn(rollout + steps, callback=CallbackList([watch, recording]), log_interval=None)
    pieces = np.diff(watch.at, axis=0)
    times.pieces.append(pieces)
    times.around.append(time.perf_counter() - start_s - pieces[:, 0].sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--num_envs", type=int, default=12)
    parser.add_argument("--steps", type=int, help="timesteps of a stretch")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--frequencies", type=int, nargs="+", default=[1000, 100])
    arguments = parser.parse_args()
    steps = arguments.steps or (12_288 if arguments.num_envs < 128 else 98_304)

    model = learner(arguments.num_envs)
    stretch(model, steps // 4, Times())  # warm
    # How often is saved, and whether every step is kept in the streams as well.
    kinds = [(every, streams) for streams in (True, False) for every in arguments.frequencies]
    cases: list[tuple[int, bool] | None] = [None, *kinds]
    times = {case: Times() for case in cases}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.rounds):
            turn = number % len(cases)
            for case in cases[turn:] + cases[:turn]:
                saving = None
                if case is not None:
                    every, streams = case
                    saving = ComprehensiveSavingCallback(
                        Path(folder) / f"{number}_{every}_{streams}" / "realtime_data",
                        save_frequency=every,
                        record_steps=streams,
                        checkpoint_frequency=10_000,
                        verbose=0,
                    )
                stretch(model, steps, times[case], saving)
                if saving and (saving.status.lost_records or saving.status.failures):
                    raise SystemExit(f"the recording went wrong: {saving.status}")

    alone = times[None]
    print(f"{arguments.num_envs} robots, {steps} timesteps a stretch, {arguments.rounds} rounds")
    print(f"without callbacks       {steps / alone.best()[0]:6.0f} steps/s")
    for case in kinds:
        every, streams = case
        wall, cpu, _ = alone.best() / times[case].best()
        ratios = alone.rounds() / times[case].rounds()
        # Of a median of as many: 1.25 times that of a mean.
        error = 1.25 * ratios.std() / len(ratios) ** 0.5
        goal = f" (goal {GOALS[every]})" if every in GOALS and arguments.num_envs < 128 else ""
        print(
            f"save_frequency {every:5d}, {'with' if streams else 'no  '} streams: throughput {wall:.3f}{goal}, "
            f"median of rounds {np.median(ratios):.3f} ± {error:.3f}, CPU {cpu:.3f}, "
            f"within it {100 * (times[case].share() - alone.share()):.2f} % of the thread, "
            f"start and end {np.median(times[case].around) - np.median(alone.around):.2f} s"
        )


if __name__ == "__main__":
    main()
