"""What is called exact is exact: the environments of Gymnasium are, treacherous ones are found out."""

from __future__ import annotations

import gc
import os
import time
import warnings
from collections import deque
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.classic_control import CartPoleEnv
from stable_baselines3.common.monitor import Monitor
from tests.support import treacherous
from tests.support.exact_cases import GYMNASIUM

from go1.env import Go1MujocoEnv
from trackway.checkpoint.capture import Capture
from trackway.checkpoint.rebuild import Rebuild
from trackway.frameworks.patch import Patch
from trackway.frameworks.sb3.shadow import STEPS, Shadow
from trackway.frameworks.sb3.tape import second_of
from trackway.gymnasium import RecordEnv


def wrapped(name: str) -> gym.Env[Any, Any]:
    env = gym.wrappers.RecordEpisodeStatistics(gym.make(name, max_episode_steps=40))
    return Monitor(gym.wrappers.NormalizeObservation(env))


def play(env: gym.Env[Any, Any], steps: int, seed: int) -> list[Any]:
    env.action_space.seed(seed)
    seen: list[Any] = []
    for _ in range(steps):
        obs, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        seen += [np.array(obs), reward, terminated, truncated]
        if terminated or truncated:
            seen.append(np.array(env.reset()[0]))
    return seen


def verdict(env: gym.Env[Any, Any], warm_up: int = 13) -> list[str]:
    env.reset(seed=3)
    play(env, warm_up, seed=1)
    shadow = Shadow(env, second_of(env.unwrapped))
    play(env, STEPS + 25, seed=2)

    assert shadow.ready
    return shadow.conclude()


@pytest.mark.parametrize("name", GYMNASIUM)
def test_environments_of_gymnasium_are_exact(name: str) -> None:
    assert verdict(wrapped(name)) == []


@pytest.mark.parametrize("name", GYMNASIUM if os.environ.get("TRACKWAY_SOAK") else GYMNASIUM[:2])
def test_a_state_goes_into_an_environment_built_afresh(name: str) -> None:
    first, second = wrapped(name), wrapped(name)
    first.reset(seed=3)
    play(first, 25, seed=1)
    second.reset(seed=99)
    play(second, 7, seed=5)
    taker = Capture(boundaries=(gym.Env,))
    taker.add("env", first)
    graph = taker.finish()
    rebuild = Rebuild(graph.document(), graph.arrays)
    same = rebuild.root("env", second)
    rebuild.write()

    assert same is second
    pairs = zip(play(first, 100, seed=7), play(second, 100, seed=7), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("kind", treacherous.HONEST)
def test_unusual_environments_are_exact(kind: Any) -> None:
    assert verdict(kind()) == []


class Smooth(CartPoleEnv):
    """What it calls a window is none that is drawn in."""

    def __init__(self) -> None:
        super().__init__()
        self.window = deque([0.0], maxlen=5)

    def step(self, action: Any) -> Any:
        obs, *rest = super().step(action)
        self.window.append(float(obs[0]))
        return obs + np.float32(np.mean(self.window)), *rest


def test_a_trial_changes_nothing_of_what_an_environment_calls_like_something_to_draw_with() -> None:
    def played(tried: bool) -> list[Any]:
        env = Smooth()
        env.reset(seed=3)
        play(env, 13, seed=1)
        shadow = Shadow(env, second_of(env)) if tried else None
        seen = play(env, STEPS + 25, seed=2)
        assert shadow is None or shadow.conclude() == []
        return seen

    assert all(np.array_equal(a, b) for a, b in zip(played(True), played(False), strict=True))


@pytest.mark.parametrize("kind", treacherous.TREACHEROUS)
def test_treacherous_environments_are_never_called_exact(kind: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        found = verdict(kind())

    assert found


@pytest.mark.parametrize("kind", treacherous.PLAYED)
def test_what_is_hidden_is_exact_where_a_reset_makes_it_anew(kind: Any) -> None:
    assert verdict(Monitor(kind())) == []


@pytest.mark.parametrize("kind", treacherous.LIARS)
def test_who_lies_when_played_again_is_never_called_exact(kind: Any) -> None:
    assert verdict(kind(), warm_up=33)


def test_watching_changes_nothing() -> None:
    watched, alone = wrapped("Hopper-v5"), wrapped("Hopper-v5")
    for env in (watched, alone):
        env.reset(seed=3)
    shadow = Shadow(watched)
    first = play(watched, 40, seed=1)
    assert shadow.conclude() == []

    first += play(watched, 40, seed=2)
    second = play(alone, 40, seed=1) + play(alone, 40, seed=2)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert "step" not in vars(watched)


def test_who_times_the_collection_of_garbage_is_not_the_environment() -> None:
    def timed(phase: str, info: dict[str, int]) -> None:
        time.perf_counter()

    before = gc.get_threshold()
    gc.callbacks.append(timed)
    gc.set_threshold(1, 1, 1)
    try:
        assert verdict(wrapped("Pendulum-v1")) == []
        assert gc.isenabled()
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(timed)


@pytest.mark.parametrize("layer", [0, 1])
def test_who_tapped_an_environment_before_goes_on_seeing_its_steps_and_no_others(
    layer: int,
) -> None:
    env = wrapped("Pendulum-v1")
    tapped = env if layer == 0 else env.get_wrapper_attr("env")
    step, seen = tapped.step, list[Any]()

    def tap(action: Any) -> Any:
        result = step(action)
        seen.append(result[0])
        return result

    patch = Patch(tapped, step=tap)
    env.reset(seed=3)
    shadow = Shadow(env)
    play(env, STEPS + 2, seed=1)
    assert shadow.conclude() == []
    play(env, 5, seed=2)

    assert len(seen) == STEPS + 7
    patch.undo()
    assert "step" not in vars(tapped)


@pytest.mark.parametrize("physics", ["full", "upstream"])
def test_a_single_go1_goes_into_one_built_afresh(physics: str) -> None:
    first, second = (Monitor(RecordEnv(Go1MujocoEnv(physics=physics))) for _ in range(2))
    first.reset(seed=3)
    play(first, 25, seed=1)
    second.reset(seed=99)
    taker = Capture(boundaries=(gym.Env,))
    taker.add("env", first)
    graph = taker.finish()
    assert graph.unsupported == []
    rebuild = Rebuild(graph.document(), graph.arrays)
    rebuild.root("env", second)
    rebuild.write()

    pairs = zip(play(first, 60, seed=7), play(second, 60, seed=7), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
