"""What evaluation and video take from a training: time on its thread, and drawing per frame.

The showpiece, evaluated and filmed as often as the share allows, against the same training alone;
the two take turns in one run. The time on the training thread is taken around the callbacks from
outside, whatever their own budget says.

    python benchmarks/evaluation_cost.py [--steps 1200000] [--rounds 1]
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from go1.threads import set_torch_threads  # isort: skip  # before torch is imported

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from go1.training.environments import evaluation_envs, training_envs
from go1.training.learner import make_learner
from go1.training.settings import resolve
from trackway.legacy.evaluation import EnhancedVisualCallback
from trackway.legacy.video import VideoRecordingCallback
from trackway.replay.render import render_video

SHARE = 0.01
"""Of the training's time that its callbacks may take."""


class Stopwatch(BaseCallback):
    """Times another callback's steps."""

    def __init__(self, timed: BaseCallback) -> None:
        super().__init__()
        self._timed = timed
        self.spent_s = self.longest_s = 0.0

    def _init_callback(self) -> None:
        self._timed.init_callback(self.model)

    def _on_training_start(self) -> None:
        self._timed.on_training_start(self.locals, self.globals)

    def _on_step(self) -> bool:
        began_s = time.perf_counter()
        self._timed.on_step()
        took_s = time.perf_counter() - began_s
        self.spent_s += took_s
        self.longest_s = max(self.longest_s, took_s)
        return True

    def _on_training_end(self) -> None:
        self._timed.on_training_end()


class TrainingTime(BaseCallback):
    """Wall time from the first step to the last, without what callbacks do after the end."""

    elapsed_s = 0.0

    def _on_training_start(self) -> None:
        self._began_s = time.perf_counter()

    def _on_step(self) -> bool:
        self.elapsed_s = time.perf_counter() - self._began_s
        return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=1_200_000)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    settings = resolve({}, Path("configs/walk.toml"))
    set_torch_threads(1)
    alone_s: list[float] = []
    watched_s: list[float] = []
    allowed = True
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            for watched in (False, True):
                learner = make_learner(settings, training_envs(settings), None)
                length = TrainingTime()
                watches: list[Stopwatch] = []
                if watched:
                    evaluation = EnhancedVisualCallback(
                        evaluation_envs(settings, settings.train.num_eval_episodes),
                        10_000,
                        settings.train.num_eval_episodes,
                        save_videos=False,
                        verbose=0,
                        output_dir=folder,
                        best_model_save_path=folder,
                        finish_within_s=0,
                    )
                    video = VideoRecordingCallback(
                        evaluation_envs(settings, 1),
                        50_000,
                        video_folder=folder,
                        verbose=0,
                        finish_within_s=0,
                    )
                    watches = [Stopwatch(evaluation), Stopwatch(video)]
                learner.learn(arguments.steps, callback=[length, *watches])
                (watched_s if watched else alone_s).append(length.elapsed_s)
                if watched:
                    spent_s = sum(watch.spent_s for watch in watches)
                    share = spent_s / length.elapsed_s
                    # A step that the machine held up is paid back later, if there is a later.
                    late_s = sum(watch.longest_s for watch in watches)
                    allowed &= spent_s <= SHARE * length.elapsed_s + late_s
                    print(
                        f"on the training thread: {spent_s:.2f} s of {length.elapsed_s:.1f} s"
                        f" = {share:.2%}; longest at one step"
                        f" {1e3 * max(watch.longest_s for watch in watches):.0f} ms;"
                        f" {len(evaluation.history.rewards_history)} evaluations of"
                        f" {settings.train.num_eval_episodes} episodes finished,"
                        f" at timesteps {evaluation.history.timesteps_history};"
                        f" {sum(video.termination_reasons.values())} episodes filmed"
                    )
        print(f"throughput against training alone: {min(alone_s) / min(watched_s):.3f}")
        _drawing(settings, Path(folder))
    print(f"at most {SHARE:.0%} of the training: {'ok' if allowed else 'EXCEEDED'}")
    return 0 if allowed else 1


def _drawing(settings: object, folder: Path) -> None:
    env = evaluation_envs(settings, 1)  # type: ignore[arg-type]
    env.reset()
    model = env.render_model()
    cpu_s = []
    for num_states in (10, 160):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        qpos = np.repeat(env.qpos[:1], num_states, axis=0)
        job = render_video(model, qpos, folder / "timed.mp4", step_s=0.02, in_turn=False)
        job.wait(300)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    per_frame = (cpu_s[1] - cpu_s[0]) / 150
    print(f"drawing and encoding 640 x 480: {1e3 * per_frame:.0f} CPU-ms a frame")


if __name__ == "__main__":
    sys.exit(main())
