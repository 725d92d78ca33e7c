"""What a program gives to a training of Stable-Baselines3, found: places for `Surroundings` to look at."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import torch
from gymnasium import Env
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.save_util import recursive_getattr
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnv

from trackway.checkpoint.capture import Capture
from trackway.checkpoint.constants import Constants
from trackway.checkpoint.named_data import (
    NamedData,
    is_library,
    is_own_code,
    set_by_libraries,
)
from trackway.checkpoint.surroundings import Surroundings, code_of

BOUNDARIES = (VecEnv, Env, BaseCallback)
_PLAIN = (int, float, bool, str, type(None), enum.Enum)
Place = tuple[str, Any, set[str]]

# Settings that are used up when a model is built, or somebody else's.
_USED_UP = frozenset(
    {"policy", "policy_base", "policy_class", "env", "device", "verbose"}
    | {"tensorboard_log", "monitor_wrapper", "support_multi_env", "supported_action_spaces"}
    | {"_init_setup_model", "replay_buffer_class", "replay_buffer_kwargs", "self", "kwargs"}
    | {"rollout_buffer_class", "rollout_buffer_kwargs", "action_noise", "stats_window_size"}
)
# Settings in another form.
DERIVED = frozenset(
    {"clip_range", "clip_range_vf", "exploration_schedule", "lr_schedule", "target_entropy"}
)
_BUFFERS = ("rollout_buffer", "replay_buffer")
# Of a rollout that is under way.
_POSITION = frozenset({"pos", "full", "generator_ready", "path"})
_ROWS = frozenset(
    {"observations", "actions", "rewards", "advantages", "returns", "episode_starts", "values"}
    | {"log_probs", "hidden_states_pi", "cell_states_pi", "hidden_states_vf", "cell_states_vf"}
)
_OF_BUFFERS = frozenset(
    {"observations", "next_observations", "actions", "rewards", "dones", "timeouts", "infos"}
    | {"ep_start", "ep_length", "_current_ep_start", "env", "pos", "full"}
)
_OF_MODULES = frozenset(vars(torch.nn.Module()))
_OF_OPTIMIZERS = frozenset({"state", "param_groups", "defaults"})
# What is called while it trains; what a closure of them holds may be shared with the module.
_HOOKS = frozenset(
    {"_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"}
    | {"_optimizer_step_pre_hooks", "_optimizer_step_post_hooks"}
)
_GRADIENTS = frozenset({"grad", "backward", "zero_grad"})


@cache
def settings(kind: Any) -> frozenset[str]:
    """Names of attributes that are given to the constructor, or its parents'."""
    return frozenset(
        name
        for base in kind.__mro__
        if "__init__" in vars(base)
        for name in inspect.signature(vars(base)["__init__"]).parameters
    )


def externals(model: Any) -> dict[str, object]:
    """What `model.save` keeps, and the learner's other organs: named, not looked into."""
    found: dict[str, object] = {"model": model, "logger": model.logger}
    found |= {name: vars(model)[name] for name in _BUFFERS if vars(model).get(name) is not None}
    states, variables = model._get_torch_save_params()
    for name in [*states, *variables]:
        found[name] = recursive_getattr(model, name)
    for name in states:
        if isinstance(whole := found[name], torch.nn.Module):
            found |= {f"{name}.{n}": part for n, part in whole.named_modules() if n}
            found |= {f"{name}:{n}": part for n, part in whole.named_parameters()}
        elif isinstance(whole, torch.optim.Optimizer):
            groups = whole.param_groups
            found |= {f"{name}.param_groups[{i}]": group for i, group in enumerate(groups)}
    return {"policy": model.policy, **found}


def places(model: Any) -> Iterator[Place]:
    """Settings of the learner, and what its networks, optimizers and buffers have beside weights, moments and rows."""
    kind: Any = type(model)
    own = (settings(kind) | DERIVED) - _USED_UP
    yield "model", model, {name for name in (*own, *_BUFFERS) if name in vars(model)}
    if (buffer := getattr(model, "rollout_buffer", None)) is not None:
        names = _telling(buffer, vars(buffer).keys() - _POSITION - _ROWS)
        yield "model.rollout_buffer", buffer, names
    if (buffer := getattr(model, "replay_buffer", None)) is not None:
        yield "model.replay_buffer", buffer, _telling(buffer, vars(buffer).keys() - _OF_BUFFERS)
    for name in model._get_torch_save_params()[0]:
        organ = recursive_getattr(model, name)
        if isinstance(organ, torch.optim.Optimizer):
            names = _telling(organ, vars(organ).keys() - _OF_OPTIMIZERS)
            yield name, organ, names | _hooks(organ)
        if not isinstance(organ, torch.nn.Module):
            continue
        for part_name, part in organ.named_modules():
            names = _telling(part, vars(part).keys() - _OF_MODULES) | _hooks(part)
            key = f"{name}.{part_name}".rstrip(".")
            yield key, part, names | part._non_persistent_buffers_set
            yield f"{key}._modules", part._modules, set(part._modules)  # one may be exchanged
        for part_name, parameter in organ.named_parameters():
            yield f"{name}:{part_name}", parameter, {"requires_grad"} | _hooks(parameter)


class Given:
    """All that a program gives to one training, as it is now.

    Args:
        model: The learner.
        parts: Its environments and callbacks (`exact.parts`), whose code may name more.

    Attributes:
        externals, constants: As of `Capture`.
        uses_gradients: Whether code of the program speaks of them: they may be read, or summed up,
            across the start of a rollout, at which Stable-Baselines3 needs none.
    """

    def __init__(self, model: Any, parts: Mapping[str, Any]) -> None:
        self.externals, self.constants = externals(model), Constants()
        self.surroundings = Surroundings(self.externals, BOUNDARIES)
        code: list[Any] = []
        for key, owner, names in places(model):
            code += self.surroundings.look(key, owner, names)
            if isinstance(owner, torch.nn.Module | torch.optim.Optimizer):
                self.surroundings.expect_more(key, owner)
        taker = Capture(self.externals, BOUNDARIES, {SubprocVecEnv: lambda venv: None})
        for part in parts.values():
            taker.attempt(part, "")
        kind: Any = type(model)
        for name in settings(kind) | DERIVED:
            taker.attempt(vars(model).get(name), "")
        networks = [module for module in model.policy.modules() if not is_library(_module(module))]
        buffer = getattr(model, "rollout_buffer", None)
        code += [*code_of(taker), *map(type, [*networks, model, buffer])]
        named = look_at_named_data(self.surroundings, code)
        self.uses_gradients = not _GRADIENTS.isdisjoint(named.attributes)


def look_at_named_data(surroundings: Surroundings, code: list[Any]) -> NamedData:
    """Look at globals and attributes of classes that such code names, and at what the code in those names."""
    named = NamedData()
    while code:
        named.follow(x for x in code if not isinstance(x, type) or is_own_code(x, BOUNDARIES))
        places = named.found.items()
        code = [x for key, (owner, names) in places for x in surroundings.look(key, owner, names)]
    return named


def _hooks(x: Any) -> set[str]:
    return {name for name in _HOOKS if getattr(x, name, None)}


def _module(x: Any) -> str:
    return type(x).__module__


def _telling(owner: Any, names: Iterable[str]) -> set[str]:
    """Names of attributes to look at; of those that a library sets the plain ones, optimizers, and what is the program's."""
    kind: Any = type(owner)
    by_library = set_by_libraries(kind)
    return {
        name
        for name in names
        if name not in by_library
        or isinstance(value := vars(owner).get(name), (*_PLAIN, torch.optim.Optimizer))
        or not is_library(_module(value))
    }
