"""Recording Gymnasium environments in loops of one's own."""

from __future__ import annotations

import runpy
from functools import partial
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from tests.support.sliding_ball import SlidingBall

from trackway import Recorder, read, read_records
from trackway.gymnasium import RecordEnv, RecordVectorEnv

EXAMPLE = Path(__file__).parents[2] / "examples/plain_loop.py"


def test_a_single_environment_is_recorded_as_it_went(tmp_path):
    given = []
    with Recorder(tmp_path) as recorder:
        env = RecordEnv(SlidingBall(), recorder, obs=True)
        obs, _ = env.reset(seed=1)
        first = obs.copy()
        for _ in range(60):
            action = np.array([0.8], np.float32)
            obs, reward, terminated, truncated, info = env.step(action)
            given.append((action, obs, reward, terminated, truncated, info))
            if terminated or truncated:
                env.reset()
    steps, episodes = read(tmp_path, "steps"), read_records(tmp_path, "episodes")
    starts = read_records(tmp_path, "starts")

    for column, name in enumerate(("action", "obs", "reward", "terminated", "truncated")):
        np.testing.assert_array_equal(steps[name][:, 0], [step[column] for step in given])
    np.testing.assert_array_equal(steps["qpos"][:, 0, 0], [step[1][0] for step in given])
    ends = [row for row, step in enumerate(given) if step[3] or step[4]]
    assert [e["row"] for e in episodes] == ends
    assert len(ends) >= 2
    assert episodes[0]["termination_reason"] == "far"
    assert episodes[0]["length"] == ends[0] + 1
    assert episodes[0]["return"] == pytest.approx(sum(step[2] for step in given[: ends[0] + 1]))
    assert [s["row"] for s in starts] == [0, *(row + 1 for row in ends)]
    assert starts[0]["seed"] == 1
    assert starts[0]["start"]["qpos"] == [first[0]]


def test_without_a_recorder_the_wrapper_changes_nothing(tmp_path):
    env, plain = RecordEnv(gym.make("CartPole-v1")), gym.make("CartPole-v1")
    env.reset(seed=0)
    plain.reset(seed=0)
    for action in (0, 1, 1, 0):
        ours, theirs = env.step(action), plain.step(action)
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert ours[1:] == theirs[1:]


@pytest.mark.parametrize("kind", [SyncVectorEnv, AsyncVectorEnv])
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_a_vector_is_recorded_as_it_went_in_every_autoreset_mode(tmp_path, kind, mode):
    given = []
    with Recorder(tmp_path) as recorder:
        make = partial(gym.wrappers.TimeLimit, SlidingBall(), 30)
        envs = kind([make, lambda: gym.wrappers.TimeLimit(SlidingBall(), 12)], autoreset_mode=mode)
        envs = RecordVectorEnv(envs, recorder, obs=True)
        envs.reset(seed=0)
        for _ in range(50):
            actions = np.full((2, 1), 0.6, np.float32)
            obs, rewards, terminated, truncated, infos = envs.step(actions)
            given.append((actions, obs.copy(), rewards, terminated, truncated, infos))
        envs.close()
    steps, episodes = read(tmp_path, "steps"), read_records(tmp_path, "episodes")
    starts = {(s["row"], s["env"]) for s in read_records(tmp_path, "starts")}
    last_obs = np.array([step[1] for step in given])
    done = np.array([step[3] | step[4] for step in given])
    if mode == AutoresetMode.SAME_STEP:
        for row, env in zip(*np.nonzero(done), strict=True):
            last_obs[row, env] = given[row][5]["final_obs"][env]

    for column, name in ((0, "action"), (2, "reward"), (3, "terminated"), (4, "truncated")):
        np.testing.assert_array_equal(steps[name], [step[column] for step in given])
    np.testing.assert_array_equal(steps["obs"], last_obs)
    assert [(e["row"], e["env"]) for e in episodes] == list(zip(*np.nonzero(done), strict=True))
    assert len(episodes) >= 5
    if kind is SyncVectorEnv:
        np.testing.assert_array_equal(steps["qpos"][..., 0], last_obs[..., 0])
    if mode == AutoresetMode.NEXT_STEP:
        np.testing.assert_array_equal(steps["reset"][1:], done[:-1])
        first = {(row + 2, env) for row, env in zip(*np.nonzero(done[:-1]), strict=True)}
    else:
        first = {(row + 1, env) for row, env in zip(*np.nonzero(done), strict=True)}
    assert starts == {(0, 0), (0, 1)} | first
    lengths = {e["env"]: e["length"] for e in episodes}
    assert lengths[1] == 12


def test_environments_that_the_caller_resets_begin_where_the_mask_says(tmp_path):
    with Recorder(tmp_path) as recorder:
        envs = SyncVectorEnv([SlidingBall, SlidingBall], autoreset_mode=AutoresetMode.DISABLED)
        envs = RecordVectorEnv(envs, recorder)
        envs.reset(seed=0)
        for _ in range(45):
            _, _, terminated, truncated, _ = envs.step(np.array([[0.9], [0.0]], np.float32))
            if (done := terminated | truncated).any():
                envs.reset(options={"reset_mask": done})
        envs.close()
    episodes, starts = (read_records(tmp_path, name) for name in ("episodes", "starts"))

    ends = [(e["row"] + 1, e["env"]) for e in episodes]
    assert [(s["row"], s["env"]) for s in starts] == [(0, 0), (0, 1), *ends]
    assert {env for _, env in ends} == {0, 1}


def test_the_plain_loop_of_the_examples_records_itself(tmp_path):
    best = runpy.run_path(str(EXAMPLE))["train"](tmp_path, updates=5, steps=40)
    steps, updates = read(tmp_path, "steps"), read_records(tmp_path, "updates")

    assert steps["obs"].shape == (200, 4, 4)
    assert updates[-1]["best"] == best > 0
    ended = steps["terminated"] | steps["truncated"]
    assert len(read_records(tmp_path, "episodes")) == ended.sum() > 10
