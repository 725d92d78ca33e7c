import gymnasium as gym
import numpy as np
import pytest
from tests.contracts.probe_contract import ProbeContract
from tests.support.sliding_ball import SlidingBall

from go1.config import Go1Config
from go1.env import Go1MujocoEnv
from go1.vec_env import Go1VecEnv
from trackway.format.schema import Field, Schema
from trackway.probes.find import find_probe


class _Single(ProbeContract):
    def env(self) -> gym.Env:
        raise NotImplementedError

    def make(self):
        env = self.env()
        env.reset(seed=0)
        env.action_space.seed(0)
        return find_probe(env), lambda: env.step(env.action_space.sample())


class TestMujocoProbeOfABall(_Single):
    def env(self):
        return SlidingBall()


class TestMujocoProbeOfAnt(_Single):
    def env(self):
        return gym.make("Ant-v5")


class TestGo1Probe(_Single):
    def env(self):
        return Go1MujocoEnv("position")


class TestGo1ProbeOfTheRandomisedTorqueRobot(_Single):
    def env(self):
        return Go1MujocoEnv("torque", rand_power=1.0)


class TestGo1ProbeOfThePublicRobot(_Single):
    def env(self):
        return Go1MujocoEnv("position", physics="upstream")


class TestGo1ProbeOfABatch(ProbeContract):
    num_envs = 5

    def make(self):
        envs = Go1VecEnv(5, Go1Config(rand_power=1.0), seed=0)
        envs.reset()
        return envs.recorder_probe(), lambda: envs.step(np.full((5, 12), 0.1, np.float32))


class _Faulty:
    schema = Schema(
        Field("half", shape=(2,), unit="m", description="half of it is written"),
        Field("noise", unit="1", description="another value each time"),
        Field("nameless", unit=""),
    )

    def __init__(self):
        self.calls = 0

    def read(self, row):
        self.calls += 1
        row["half"][0, 0] = 1.0
        row["noise"][0] = self.calls
        row["nameless"][0] = 0.0


class _Replacing(_Faulty):
    def read(self, row):
        row["half"] = np.zeros((1, 2))


def test_the_check_finds_what_a_probe_does_wrong():
    from trackway.probes.check import check_probe

    assert check_probe(_Faulty()) == [
        "field 'nameless' has no unit",
        "field 'nameless' has no description",
        "field 'half' is not written, or not all of it",
        "field 'noise' differs between two readings of the same state",
    ]
    assert "replaces arrays" in check_probe(_Replacing())[-1]
    assert check_probe(object()) == ["it has no `schema`: give it a trackway.Schema of Fields"]


@pytest.mark.parametrize("env_id", ["CartPole-v1", "MountainCar-v0"])
def test_an_environment_without_a_simulation_has_no_probe(env_id):
    assert find_probe(gym.make(env_id)) is None
