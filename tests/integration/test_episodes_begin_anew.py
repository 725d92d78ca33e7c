"""An environment that cannot be put back begins a new episode where its training is resumed, and says so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv, VecNormalize
from tests.support import treacherous
from tests.support.trainings import episodes_of

from trackway import read_records
from trackway.checkpoint.choose import list_checkpoints
from trackway.checkpoint.read import read_checkpoint
from trackway.legacy import RealTimeSavingCallback
from trackway.sb3 import Checkpointer, RecorderCallback

ROLLOUT = 64  # an episode has ten steps: it ends after the fourth of its seventh


def train(venv: VecEnv, *callbacks: BaseCallback, total: int = 2 * ROLLOUT * 2) -> PPO:
    model = PPO(
        "MlpPolicy", venv, n_steps=ROLLOUT, batch_size=64, n_epochs=1, seed=1, device="cpu",
        policy_kwargs={"net_arch": [4]},
    )  # fmt: skip
    return model.learn(total, callback=list(callbacks))


def drifting(kind: Any = treacherous.Generator) -> VecEnv:
    return VecNormalize(DummyVecEnv([kind, kind]))


def mixed(kind: Any) -> VecEnv:
    """One whose state can be taken, and one that can only be played again."""
    return VecNormalize(DummyVecEnv([treacherous.Drift, kind]))


def weights(model: PPO) -> list[bytes]:
    return [p.detach().numpy().tobytes() for p in model.policy.parameters()]


class AtTheStart(BaseCallback):
    """What the learner goes on from, when the first rollout starts."""

    def _on_rollout_start(self) -> None:
        if not hasattr(self, "starts"):
            self.starts = np.array(self.model._last_episode_starts)
            self.seen = np.array(self.model._last_original_obs)
            envs = getattr(self.model.env.unwrapped, "envs", None)
            self.steps = [env.unwrapped.steps for env in envs] if envs else None
            self.obs = [env.unwrapped.obs() for env in envs] if envs else None

    def _on_step(self) -> bool:
        return True


def facts(folder: Path) -> Any:
    return read_checkpoint(list_checkpoints(folder)[0]).manifest


@pytest.mark.slow
def test_what_cannot_be_put_back_begins_a_new_episode_and_the_cut_one_is_told(
    tmp_path: Path,
) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    train(drifting(), Checkpointer(first, 2 * ROLLOUT), RecorderCallback(first))
    origin = list_checkpoints(first)[0]
    seen = AtTheStart()
    model = train(
        drifting(), Checkpointer(again, resume_from=origin), seen, RecorderCallback(again)
    )

    assert model.num_timesteps == 2 * ROLLOUT * 2
    assert facts(first)["begins_anew"] is True
    assert facts(first)["exact"][-1].endswith("new ones begin")
    assert any("waves" in sentence for sentence in facts(first)["exact"])
    assert seen.steps == [0, 0]
    assert seen.starts.tolist() == [True, True]
    assert np.array_equal(seen.seen, np.array(seen.obs))
    cut = [e for e in read_records(again, "events") if e["event"] == "episode_interrupted"]
    assert [(e["env"], e["episode"], e["length"]) for e in cut] == [(0, 6, 4), (1, 6, 4)]
    starts = [s for s in read_records(again, "starts") if s["row"] == 0]
    assert [(s["env"], s["episode"]) for s in starts] == [(0, 7), (1, 7)]
    assert {e["length"] for e in read_records(again, "episodes")} == {10}


@pytest.mark.slow
def test_the_json_records_tell_the_interrupted_episodes(tmp_path: Path) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    quiet = {"save_frequency": 64, "verbose": 0, "record_steps": False}
    train(drifting(), RealTimeSavingCallback(first, checkpoint_frequency=128, **quiet))
    origin = read_checkpoint(list_checkpoints(first / "checkpoints")[0])
    train(drifting(), RealTimeSavingCallback(again, resume_from=origin, **quiet))

    records = [r for r in episodes_of(again) if r["termination_reason"] == "interrupted"]
    assert [(r["env_id"], r["episode_length"], r["episode_count"]) for r in records] == [
        (0, 4, 7), (1, 4, 7),
    ]  # fmt: skip
    whole = [r for r in episodes_of(again) if r["termination_reason"] != "interrupted"]
    assert {r["episode_length"] for r in whole} == {10}


@pytest.mark.skipif("TRACKWAY_SOAK" not in os.environ, reason="starts workers twice: make soak")
def test_workers_whose_environments_cannot_be_taken_go_on_and_say_so(tmp_path: Path) -> None:
    kinds = [treacherous.ToldInPart, treacherous.Generator]
    for name in ("first", "again"):
        seen, found = AtTheStart(), list_checkpoints(tmp_path / "first")
        venv = VecNormalize(SubprocVecEnv(list(kinds), start_method="forkserver"))
        origin = found[0] if found else None
        train(venv, Checkpointer(tmp_path / name, 2 * ROLLOUT, resume_from=origin), seen)
        venv.close()

    told = facts(tmp_path / "first")
    assert told["begins_anew"] is True
    assert any(sentence.startswith("env['waves'] is") for sentence in told["exact"])
    assert any(sentence.startswith("env.waves is") for sentence in told["exact"])
    assert seen.starts.tolist() == [True, True]


@pytest.mark.slow
def test_honest_and_hidden_environments_go_on_within_their_episodes(tmp_path: Path) -> None:
    first, seen = tmp_path / "first", AtTheStart()
    whole = train(mixed(treacherous.HiddenWorld), Checkpointer(first, 2 * ROLLOUT))
    origin = list_checkpoints(first)[0]
    again = train(
        mixed(treacherous.HiddenWorld), Checkpointer(tmp_path / "again", resume_from=origin), seen
    )

    assert facts(first)["begins_anew"] is False
    assert facts(first)["exact"] is True
    assert facts(tmp_path / "again")["exact"] is True
    assert seen.steps == [4, 4]
    assert weights(again) == weights(whole)


@pytest.mark.slow
def test_who_lies_only_later_is_found_out_where_it_is_resumed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, seen = tmp_path / "first", AtTheStart()
    total = 3 * ROLLOUT * 2
    train(mixed(treacherous.LiesLater), Checkpointer(first, 4 * ROLLOUT), total=total)
    origin = list_checkpoints(first)[0]
    again = Checkpointer(tmp_path / "again", resume_from=origin)
    train(mixed(treacherous.LiesLater), again, seen, total=total)

    assert facts(first)["exact"] is True
    assert seen.steps == [0, 0]
    assert seen.starts.tolist() == [True, True]
    assert "LiesLater: played again, its episode parts" in caplog.text
    assert "new episodes have begun" in caplog.text
