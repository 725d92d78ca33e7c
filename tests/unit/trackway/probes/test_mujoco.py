import gymnasium as gym
import mujoco
import numpy as np
import pytest
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from tests.support.sliding_ball import SlidingBall

from go1.vec_env import Go1VecEnv
from trackway.probes.mujoco import motion_source


def test_motion_is_found_under_gymnasium_wrappers():
    env = Monitor(SlidingBall())
    env.reset()
    source = motion_source(env)

    assert source.model is env.unwrapped.model
    assert source.step_s == pytest.approx(0.05)
    assert source.qpos() == pytest.approx(env.unwrapped.data.qpos)


def test_motion_of_each_robot_is_found_under_vector_wrappers():
    env = VecNormalize(
        DummyVecEnv([lambda: Monitor(SlidingBall()), lambda: Monitor(SlidingBall())])
    )
    env.reset()

    found = [motion_source(env, index).qpos() for index in (0, 1)]

    held = [one.unwrapped.data.qpos for one in env.unwrapped.envs]
    assert np.array_equal(found, held)
    assert not np.array_equal(found[0], found[1])


def test_positions_are_copies():
    env = SlidingBall()
    env.reset()
    source = motion_source(env)
    before = source.qpos()
    kept = before.copy()

    env.step(np.ones(1))

    assert np.array_equal(before, kept)
    assert not np.array_equal(before, source.qpos())


def test_a_batch_offers_its_rows_and_its_model_to_look_at():
    env = Go1VecEnv(3, seed=1)
    env.reset()
    source = motion_source(env, 2)

    assert np.array_equal(source.qpos(), env.qpos[2])
    assert source.step_s == pytest.approx(0.02)
    assert source.render_model().nq == source.model.nq
    assert source.render_model().ngeom > source.model.ngeom


def test_a_model_without_more_to_see_is_drawn_itself():
    source = motion_source(SlidingBall())

    assert source.render_model() is source.model
    assert isinstance(source.model, mujoco.MjModel)


def test_other_environments_have_no_such_motion():
    assert motion_source(DummyVecEnv([lambda: gym.make("CartPole-v1")])) is None
