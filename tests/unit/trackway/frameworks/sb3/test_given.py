"""What a program gives to a learner, and changes; what a device promises."""

from __future__ import annotations

import copy
import functools
import sys
import types
from typing import Any

import gymnasium as gym
import pytest
import torch
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback, CallbackList

from trackway.checkpoint import rng
from trackway.checkpoint.capture import Capture
from trackway.frameworks.sb3.exact import indeterminacy, parts
from trackway.frameworks.sb3.given import BOUNDARIES, Given


def ppo() -> PPO:
    network = {"net_arch": [4]}
    model = PPO("MlpPolicy", "CartPole-v1", n_steps=64, policy_kwargs=network, device="cpu")
    model._setup_learn(8, None)
    return model


def taken(given: Given, *others: Any) -> Capture:
    taker = Capture(given.externals, BOUNDARIES)
    for i, other in enumerate(others):
        taker.attempt(other, f"callback {i}")
    given.surroundings.take(taker)
    return taker


def test_nothing_is_taken_of_what_stays_as_the_program_gave_it() -> None:
    for model in (ppo(), SAC("MlpPolicy", "Pendulum-v1", device="cpu", buffer_size=10)):
        model._setup_learn(8, None)
        taker = taken(Given(model, parts(model, None)))

        assert taker.graph.roots == {}
        assert taker.graph.unsupported == []


def test_settings_and_networks_are_taken_where_they_change() -> None:
    model: Any = ppo()
    given = Given(model, {})
    model.ent_coef, model.rollout_buffer.gamma, model.seed = 0.5, 0.3, 7
    model.policy.action_net.bias.requires_grad_(False)
    model.policy.action_net.added = 3
    taker = taken(given)

    assert taker.graph.roots == {
        "given model|ent_coef": 0.5,
        "given model|seed": 7,
        "given model.rollout_buffer|gamma": 0.3,
        "given policy:action_net.bias|requires_grad": False,
        "given policy.action_net|added": 3,
    }


def test_what_a_policy_was_built_with_is_taken_where_it_changes() -> None:
    model: Any = ppo()
    given = Given(model, {})
    model.policy_kwargs["net_arch"].append(8)
    taker = taken(given)

    assert list(taker.graph.roots) == ["given model|policy_kwargs"]
    assert taker.graph.nodes[1] == {"k": "list", "v": [4, 8]}


def test_settings_of_a_replay_buffer_are_taken_where_they_change() -> None:
    model: Any = DQN("MlpPolicy", "CartPole-v1", n_steps=3, buffer_size=10, device="cpu")
    model._setup_learn(8, None)
    given = Given(model, {})
    model.replay_buffer.gamma = 0.5

    assert taken(given).graph.roots == {"given model.replay_buffer|gamma": 0.5}


def test_another_optimizer_is_told() -> None:
    model = ppo()
    given = Given(model, {})
    model.policy.optimizer = torch.optim.SGD(model.policy.parameters(), lr=0.1)

    (sentence,) = taken(given).graph.unsupported
    assert sentence == "policy.optimizer is now another one than the program gives"


def test_another_buffer_is_told_and_not_taken() -> None:
    sac = SAC("MlpPolicy", "Pendulum-v1", device="cpu", buffer_size=10)
    sac._setup_learn(8, None)
    models: dict[str, Any] = {"rollout_buffer": ppo(), "replay_buffer": sac}
    for name, model in models.items():
        given = Given(model, {})
        setattr(model, name, copy.copy(getattr(model, name)))
        taker = taken(given)

        assert taker.graph.nodes == []
        (sentence,) = taker.graph.unsupported
        assert sentence == f"model.{name} is now another one than the program gives"


class Holds(BaseCallback):
    def __init__(self, **held: Any) -> None:
        super().__init__()
        vars(self).update(held)

    def _on_step(self) -> bool:
        return True


def test_the_learners_organs_are_named_and_not_taken_a_second_time() -> None:
    model = ppo()
    held = Holds(net=model.policy.mlp_extractor, weights=list(model.policy.parameters()))
    held.optimizer = model.policy.optimizer  # type: ignore[attr-defined]
    taker = taken(Given(model, {}), CallbackList([held]), held)

    assert taker.graph.unsupported == []
    assert not any(node["k"] == "tensor" for node in taker.graph.nodes)


def test_a_second_learner_is_told() -> None:
    model = ppo()

    (sentence,) = taken(Given(model, {}), Holds(opponent=ppo())).graph.unsupported
    assert sentence == "callback 0.opponent is a learner (PPO) beside the one that trains"


def test_what_a_device_does_not_promise_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert indeterminacy("cpu") == []
    assert "use_deterministic_algorithms(True)" in indeterminacy(torch.device("cuda:1"))[0]
    assert indeterminacy("mps") != []

    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
    assert indeterminacy("cuda") == []
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    assert "cuDNN" in indeterminacy("cuda")[0]


def test_a_gpu_that_nobody_uses_is_not_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> Any:
        raise RuntimeError("Cannot re-initialize CUDA in forked subprocess")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", fails)

    assert "cuda" not in rng.capture_rng()
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: [torch.zeros(4)] * 2)
    assert len(rng.capture_rng()["cuda"]) == 2


def test_generators_of_gpus_are_put_back_as_far_as_there_are_gpus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: put.append(device))
    state = rng.capture_rng()
    rng.restore_rng(state | {"cuda": [torch.zeros(4).numpy()] * 2})

    assert put == [0]


def test_environments_are_looked_at_where_a_global_decides() -> None:
    model = PPO("MlpPolicy", Steep(), n_steps=64, policy_kwargs={"net_arch": [4]}, device="cpu")
    model._setup_learn(8, None)
    given = Given(model, parts(model, None))
    Steep.slope += 1.0
    try:
        roots = taken(given).graph.roots
    finally:
        Steep.slope -= 1.0

    assert roots == {f"given {__name__}:Steep|slope": 2.0}


class Steep(gym.Wrapper[Any, Any, Any, Any]):
    slope = 1.0

    def __init__(self) -> None:
        super().__init__(gym.make("CartPole-v1"))

    def step(self, action: Any) -> Any:
        obs, reward, *rest = self.env.step(action)
        return obs, float(reward) * self.slope, *rest


class History(list[int]):
    written = 0


class Writing(BaseCallback):
    def __init__(self) -> None:
        super().__init__()
        self.history = History()

    def _on_step(self) -> bool:
        return True


def test_the_class_of_what_inherits_from_a_container_is_looked_at_like_any_other() -> None:
    model, callback = ppo(), Writing()
    given = Given(model, parts(model, callback))
    History.written += 1
    try:
        roots = taken(given).graph.roots
    finally:
        History.written = 0

    assert roots == {f"given {__name__}:History|written": 1}


class Task:
    class Rewards:
        scale = 0.0

    gain = 1.0


class Shaping(Holds):
    def _on_rollout_end(self) -> None:
        self.held.gain += self.terrain.slope + Task.Rewards.scale  # type: ignore[attr-defined]


@pytest.mark.parametrize("cfg", [Task, Task()])
def test_a_classs_own_classes_are_looked_at_whether_code_names_it_or_a_callback_holds_it(
    monkeypatch: pytest.MonkeyPatch, cfg: Any
) -> None:
    model, callback = ppo(), Holds(cfg=cfg)
    given = Given(model, parts(model, callback))
    monkeypatch.setattr(Task.Rewards, "scale", 0.5)
    monkeypatch.setattr(Task, "gain", 2.0)

    assert taken(given, callback).graph.roots == {
        f"given {__name__}:Task.Rewards|scale": 0.5,
        f"given {__name__}:Task|gain": 2.0,
    }


def test_of_a_module_that_a_callback_holds_is_looked_at_what_code_may_mean() -> None:
    terrain: Any = types.ModuleType("terrain")
    terrain.slope, terrain.unnamed = 0.0, 0.0
    model, callback = ppo(), Shaping(held=Task, terrain=terrain)
    given = Given(model, parts(model, callback))
    terrain.slope = terrain.unnamed = 0.5

    assert taken(given, callback).graph.roots == {"given terrain|slope": 0.5}


world: Any = types.ModuleType("world")
world.terrain = types.ModuleType("world.terrain")
world.terrain.world, world.terrain.friction = world, 1.0
steepness = 0.0


def climb() -> float:
    return steepness


class Fall:
    cost = 1.0


TERMS = {"climb": (functools.partial(climb), 1.0), "fall": [Fall]}


class Scored(Holds):
    def _on_rollout_end(self) -> None:
        self.model.ent_coef = world.terrain.friction * len(TERMS)  # type: ignore[attr-defined]


def test_globals_are_looked_at_in_modules_of_modules_and_where_code_in_a_registry_names_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, callback = ppo(), Scored()
    given = Given(model, parts(model, callback))
    monkeypatch.setattr(world.terrain, "friction", 0.5)
    monkeypatch.setattr(sys.modules[__name__], "steepness", 0.1)
    monkeypatch.setattr(Fall, "cost", 2.0)

    assert taken(given, callback).graph.roots == {
        "given world.terrain|friction": 0.5,
        f"given {__name__}|steepness": 0.1,
        f"given {__name__}:Fall|cost": 2.0,
    }
