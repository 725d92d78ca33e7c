"""The whole state of a training at one point of it, and back into a training built afresh.

Both happen inside `on_rollout_start`, the only point at which nothing is half done: the rollout
buffer is empty, every worker has answered, no minibatch is under way. A resumed program builds
everything as for a new training and calls `learn`; what that set up (resets, seeds, clocks) is
overwritten in the first `on_rollout_start`, and from there on every bit is as it would have been.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from gymnasium import Env
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.save_util import load_from_zip_file, recursive_getattr
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnv

from trackway.checkpoint.capture import Capture
from trackway.checkpoint.graph import DoesNotFitError, Graph, OpaqueError
from trackway.checkpoint.read import Checkpoint
from trackway.checkpoint.rebuild import Rebuild
from trackway.checkpoint.rng import capture_rng, restore_rng
from trackway.checkpoint.rules import CALLBACK_LINKS
from trackway.checkpoint.state_member import read_graph
from trackway.checkpoint.surroundings import is_given
from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import MismatchError
from trackway.frameworks.sb3 import workers
from trackway.frameworks.sb3.given import BOUNDARIES, DERIVED, Given, externals, settings
from trackway.frameworks.sb3.learn_loop import read_iteration, write_iteration, write_rollout
from trackway.frameworks.sb3.replay_journal import check_fit, fill, read_segments
from trackway.frameworks.sb3.tape import play_on

# Not the state of an algorithm: somebody else's, or empty when a rollout starts, or of this process.
_NOT_STATE = frozenset(
    {
        "device",
        "env",
        "rollout_buffer",
        "replay_buffer",
        "start_time",
        "_custom_logger",
        "_logger",
        "_total_timesteps",
        "_vec_normalize_env",
        "n_envs",
        "observation_space",
        "policy_class",
    }
)
_ENVIRONMENTS = "venv"
_GRADIENTS = "gradients"
_EXPLORATION = ("exploration_mat", "exploration_matrices")


@dataclass
class Snapshot:
    """A training's state at one moment, copied.

    Attributes:
        graph: All of it but weights and optimizers.
        point: "rollout_start", or "training_end": the same state, met on the way out of `learn`.
        begins_anew: Part of the environments could not be taken; see `begin_anew`.
    """

    graph: Graph
    point: str
    timestep: int
    iteration: int | None
    inexact: list[str] = field(default_factory=list)
    begins_anew: bool = False


def capture(
    model: Any,
    callback: BaseCallback | None,
    point: str = "rollout_start",
    clock: Clock = SYSTEM_CLOCK,
    replay: Mapping[str, Any] | None = None,
    taped: Mapping[int, Any] | None = None,
    given: Given | None = None,
) -> Snapshot:
    """Copy the state of a training, but for what `model.save` writes; nothing is drawn or changed.

    Args:
        model: The algorithm, within `on_rollout_start`, or behind its last update.
        callback: The outermost callback, `locals["callback"]` of any of them.
        point: Which of both.
        clock: What the time is read from.
        replay: Where the rows of the replay buffer are kept (`ReplayJournal.references`).
        taped: By id of an environment, the episode that stands for its state (`Verdict.taped`).
        given: What the program had given before it began.
    """
    missing: list[str] = []
    around: list[str] = []
    of_workers = partial(workers.capture, missing=missing, around=around)
    outside = externals(model) if given is None else given.externals
    constants = None if given is None else given.constants
    taker = Capture(outside, BOUNDARIES, {SubprocVecEnv: of_workers}, taped, constants)
    iteration = read_iteration(model)
    inexact = indeterminacy(model.device)
    if not isinstance(model, OnPolicyAlgorithm | OffPolicyAlgorithm):
        kind = type(model).__name__
        inexact.append(f"what {kind} does before a rollout starts is not kept: it is done anew")
    if replay is None and getattr(model, "replay_buffer", None) is not None:
        kind = type(model.replay_buffer).__name__
        inexact.append(f"the replay buffer ({kind}) is not kept: it is filled anew")
    begins_anew = False
    for name, part in parts(model, callback).items():
        known = len(taker.graph.unsupported)
        try:
            if isinstance(part, dict):
                taker.add_entries(name, part)
            else:
                taker.add(name, part)
        except OpaqueError as error:
            inexact.append(str(error))
            begins_anew |= name == _ENVIRONMENTS
        begins_anew |= name == _ENVIRONMENTS and len(taker.graph.unsupported) > known
    if given is not None:
        given.surroundings.take(taker)
        if given.uses_gradients:
            taker.add_entries(_GRADIENTS, _gradients(given.externals))
    elapsed_s = clock.unix_s() - model.start_time / 1e9
    taker.add("loop", {"iteration": iteration, "elapsed_s": elapsed_s, "point": point})
    taker.add("replay", replay)
    taker.add("rng", capture_rng())
    graph = taker.finish()
    inexact += [*graph.unsupported, *missing, *around]
    begins_anew |= bool(missing)
    return Snapshot(graph, point, model.num_timesteps, iteration, inexact, begins_anew)


def indeterminacy(device: Any) -> list[str]:
    """Why the same numbers may not come out twice on a device of torch's, sentences."""
    kind = torch.device(device).type
    if kind == "cpu":
        return []
    if kind != "cuda":
        return [f"nobody promises that {kind} computes the same bits twice"]
    found = []
    strict = torch.are_deterministic_algorithms_enabled()
    if not strict or torch.is_deterministic_algorithms_warn_only_enabled():
        found.append(
            "CUDA may compute other bits each time: call torch.use_deterministic_algorithms(True)"
        )
    if torch.backends.cudnn.benchmark:
        found.append(
            "cuDNN picks its algorithms by the clock: leave torch.backends.cudnn.benchmark off"
        )
    return found


def restore(
    model: Any,
    callback: BaseCallback | None,
    checkpoint: Checkpoint,
    clock: Clock = SYSTEM_CLOCK,
    *,
    begins: bool = True,
) -> list[str]:
    """Put a state back into a training that was built as the first one was; within `on_rollout_start`.

    Args:
        model: As of `capture`.
        callback: As of `capture`.
        checkpoint: It.
        clock: What the time is read from.
        begins: Whether a rollout now begins; else the training ends.

    Returns:
        Which episodes did not come out again (`tape`), sentences: then new ones have begun.

    Raises:
        MismatchError: Something differs; nothing has been touched.
    """
    failed: list[str] = []
    players = {
        SubprocVecEnv: partial(workers.restore, failed=failed),
        Env: partial(play_on, failed=failed),
    }
    try:
        _check_number(checkpoint.manifest.get("num_envs"), model.n_envs)
        outside = externals(model)
        _check_state(checkpoint)
        rebuild = Rebuild(
            *read_graph(checkpoint.members), outside, players, boundaries=(VecEnv, Env)
        )
        made = {
            name: rebuild.root(name, part)
            for name, part in parts(model, callback).items()
            if name in rebuild.roots
        }
        if any(map(is_given, rebuild.roots)):
            Given(model, parts(model, callback)).surroundings.put(rebuild)
        loop, rng = rebuild.root("loop"), rebuild.root("rng")
        replay = rebuild.root("replay") if "replay" in rebuild.roots else None
        gradients = rebuild.root(_GRADIENTS) if _GRADIENTS in rebuild.roots else {}
        segments = {} if replay is None else read_segments(checkpoint.path, replay)
        if replay is not None:
            check_fit(model.replay_buffer, replay, segments)
        _, parameters, variables = load_from_zip_file(
            checkpoint.path, device=model.device, load_data=False
        )
        _check_shapes(model.get_parameters(), parameters)
        groups = {name: optimizer.param_groups for name, optimizer in _optimizers(model)}
        model.set_parameters(parameters, exact_match=True, device=model.device)
    except (DoesNotFitError, ValueError, RuntimeError) as error:
        raise MismatchError(checkpoint.path, str(error)) from error
    for name, optimizer in _optimizers(model):
        saved: Any = parameters[name]
        _settle(optimizer, saved, groups[name])
    for name, value in (variables or {}).items():
        getattr(model, name).data.copy_(value.data)
    if replay is not None:
        fill(model.replay_buffer, replay, segments)
    n_steps = getattr(model, "n_steps", None)
    rebuild.write()
    vars(model).update(made["model"])
    for name, values in made["logger"].items():
        pending = getattr(model.logger, name)
        pending.clear()
        pending.update(values)
    for distribution, matrices in zip(_distributions(model), made["exploration"], strict=True):
        vars(distribution).update(matrices)
    model.start_time = round((clock.unix_s() - loop["elapsed_s"]) * 1e9)
    if loop["iteration"] is not None:
        write_iteration(model, loop["iteration"])
    write_rollout(model, n_steps)
    for name, gradient in gradients.items():
        weight: Any = outside[name]
        weight.grad = gradient
    restore_rng(rng)
    if begins and loop["point"] == "training_end" and model.use_sde:
        # There, the noise of the rollout that now begins had not been drawn yet.
        (getattr(model, "actor", None) or model.policy).reset_noise(model.n_envs)
    if checkpoint.begins_anew or failed:
        _begin_anew(model)
    return list(dict.fromkeys(failed))


def told_of(checkpoint: Checkpoint, failed: Sequence[str] = ()) -> str:
    """A sentence for who resumes from it: whether the training goes on exactly, or why not."""
    if not checkpoint.inexact_because and not failed:
        return f"goes on exactly where {checkpoint.path} was taken"
    anew = ["new episodes have begun"] if failed else []
    because = "; ".join([*checkpoint.inexact_because, *failed, *anew])
    return f"goes on where {checkpoint.path} was taken, but not exactly: {because}"


def _gradients(named: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """By the names of the weights, those that there are."""
    weights = {name: x for name, x in named.items() if isinstance(x, torch.nn.Parameter)}
    return {name: weight.grad for name, weight in weights.items() if weight.grad is not None}


def _optimizers(model: Any) -> list[tuple[str, torch.optim.Optimizer]]:
    named = ((name, recursive_getattr(model, name)) for name in model._get_torch_save_params()[0])
    return [(name, organ) for name, organ in named if isinstance(organ, torch.optim.Optimizer)]


def _settle(
    optimizer: torch.optim.Optimizer, saved: Mapping[str, Any], groups: list[dict[str, Any]]
) -> None:
    """Undo what `load_state_dict` does besides: new dicts for the groups, and the weights' type for what it keeps.

    Args:
        optimizer: It, loaded.
        saved: What it was loaded from.
        groups: `param_groups` from before, which others may hold.
    """
    for old, new in zip(groups, optimizer.param_groups, strict=True):
        old.clear()
        old.update(new)
    optimizer.param_groups = groups
    weights = [weight for group in groups for weight in group["params"]]
    for number, kept in saved["state"].items():
        own = optimizer.state[weights[number]]
        for name, value in kept.items():
            if isinstance(value, torch.Tensor) and own[name].dtype != value.dtype:
                own[name] = value.to(own[name].device)


def _begin_anew(model: Any) -> None:
    """New episodes in all environments, as `learn` begins them: what is left of the others fits nothing.

    Wrappers and recorders see the reset, and forget what they had summed up of the running episodes.
    """
    model._last_obs = model.env.reset()
    model._last_episode_starts = np.ones((model.n_envs,), dtype=bool)
    if model.get_vec_normalize_env() is not None:
        model._last_original_obs = model.get_vec_normalize_env().get_original_obs()
    if getattr(model, "action_noise", None) is not None:
        model.action_noise.reset()


def _check_number(there: int | None, here: int) -> None:
    if there is not None and there != here:
        raise DoesNotFitError(f"it has {there} environments, and there are {here}")


def _check_state(checkpoint: Checkpoint) -> None:
    if not checkpoint.has_state:
        raise DoesNotFitError(
            "it holds a model and no state to go on from: load the model from it, and call `learn` for "
            "the timesteps that are left"
        )


def _check_shapes(own: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Compare networks and optimizers; `set_parameters` would set those that fit before it complains."""
    for name, state in own.items():
        if "param_groups" in state:
            here, there = (
                [(sorted(group), len(group["params"])) for group in s.get("param_groups", ())]
                for s in (state, given.get(name, {}))
            )
            if here != there:
                raise ValueError(f"{name} is an optimizer of another kind: build the same one")
            continue
        here_shapes = _shapes(state)
        there_shapes = _shapes(given.get(name, {}))
        for key in sorted(here_shapes.keys() | there_shapes.keys()):
            if here_shapes.get(key) != there_shapes.get(key):
                raise ValueError(
                    f"{name}.{key} has shape {there_shapes.get(key)} there, "
                    f"{here_shapes.get(key)} here: build the same networks"
                )


def _shapes(state: Mapping[str, Any]) -> dict[str, tuple[int, ...] | None]:
    """Of its tensors; None of what a network keeps besides (`get_extra_state`)."""
    return {
        key: tuple(value.shape) if isinstance(value, torch.Tensor) else None
        for key, value in state.items()
    }


def replay_of(checkpoint: Checkpoint) -> Any:
    """Where the rows of its replay buffer are kept; None if it has none."""
    return Rebuild(*read_graph(checkpoint.members)).root("replay")


def parts(model: Any, callback: BaseCallback | None) -> dict[str, Any]:
    """What is taken, by names; all but weights and what the program gives."""
    logger = model.logger
    pending = ("name_to_value", "name_to_count", "name_to_excluded")
    return {
        _ENVIRONMENTS: model.env,
        "model": _model_state(model),
        "logger": {name: dict(getattr(logger, name)) for name in pending},
        "exploration": [
            {name: vars(d)[name] for name in _EXPLORATION if name in vars(d)}
            for d in _distributions(model)
        ],
        **_callbacks(callback),
    }


def _callbacks(root: BaseCallback | None) -> dict[str, BaseCallback]:
    """Every callback by its class and number: a program may leave one out when it resumes."""
    found: dict[str, BaseCallback] = {}

    def walk(callback: Any) -> None:
        kind = f"{type(callback).__module__}:{type(callback).__qualname__}"
        number = sum(name.startswith(f"callback {kind} ") for name in found)
        found[f"callback {kind} {number}"] = callback
        for name in CALLBACK_LINKS:
            link = vars(callback).get(name)
            for child in link if isinstance(link, list) else [link]:
                if isinstance(child, BaseCallback):
                    walk(child)

    if root is not None:
        walk(root)
    return found


def _model_state(model: Any) -> dict[str, Any]:
    """What `learn` goes on from; neither settings, which the program gives, nor weights."""
    kind: Any = type(model)
    left_out = _left_out(kind)
    return {
        name: value
        for name, value in vars(model).items()
        # The statistics of batch norms are the networks' own tensors.
        if name not in left_out and "batch_norm_stats" not in name
    }


@cache
def _left_out(kind: Any) -> frozenset[str]:
    return (settings(kind) - {"action_noise"}) | DERIVED | _NOT_STATE


def _distributions(model: Any) -> list[Any]:
    """Where gSDE keeps the noise of the running rollout."""
    owners = (getattr(model, "policy", None), getattr(model, "actor", None))
    found = [getattr(owner, "action_dist", None) for owner in owners]
    return [d for d in found if d is not None and any(n in vars(d) for n in _EXPLORATION)]
