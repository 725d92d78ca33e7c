"""What of well-known classes is no state: left as the program built it, neither taken nor put back.

Drawing, clocks that only time an episode for the log, files that are open, and Trackway's own
recording. Named by class, so that nothing has to be imported; each holds for subclasses, too.
"""

from __future__ import annotations

from functools import cache, lru_cache

# How callbacks hold callbacks; who is there is up to the program.
CALLBACK_LINKS = ("callbacks", "callback", "callback_on_new_best")
_CLASSIC = "gymnasium.envs.classic_control."
_KEPT_ATTRIBUTES: dict[str, frozenset[str]] = {
    "gymnasium.core:Env": frozenset(
        # A recorder and a shadow replace the last two on the object.
        {"spec", "metadata", "render_mode", "reward_range", "step", "reset"}
    ),
    "gymnasium.core:Wrapper": frozenset({"_cached_spec", "_saved_kwargs", "_metadata"}),
    "gymnasium.envs.mujoco.mujoco_env:MujocoEnv": frozenset({"mujoco_renderer"}),
    "gymnasium.wrappers.common:RecordEpisodeStatistics": frozenset(
        {"time_queue", "episode_start_time"}
    ),
    "stable_baselines3.common.monitor:Monitor": frozenset({"results_writer", "t_start"}),
    "stable_baselines3.common.vec_env.vec_monitor:VecMonitor": frozenset(
        {"results_writer", "t_start"}
    ),
    # A recorder replaces the first three on the object.
    "stable_baselines3.common.vec_env.base_vec_env:VecEnv": frozenset(
        {"reset", "step_async", "step_wait", "metadata", "render_mode"}
    ),
    "stable_baselines3.common.vec_env.base_vec_env:VecEnvWrapper": frozenset({"class_attributes"}),
    "stable_baselines3.common.callbacks:BaseCallback": frozenset(
        {"model", "locals", "globals", "parent", *CALLBACK_LINKS}
    ),
    "stable_baselines3.common.callbacks:ProgressBarCallback": frozenset({"pbar"}),
    # A scheduler wraps it, to see that it was called.
    "torch.optim.optimizer:Optimizer": frozenset({"step"}),
    # Of the weights, which are taken themselves.
    "torch.nn.modules.rnn:RNNBase": frozenset({"_flat_weight_refs"}),
}
# There the link is a function, with what it closes over.
_LINKS_TO_CODE = "stable_baselines3.common.callbacks:ConvertCallback"
_DRAWING = frozenset({"screen", "clock", "surf", "isopen", "window"})
_KEPT_CLASSES = frozenset(
    {
        "gymnasium.envs.registration:EnvSpec",
        "gymnasium.envs.mujoco.mujoco_rendering:MujocoRenderer",
        "logging:Logger",
        "stable_baselines3.common.logger:Logger",
    }
)
_LIVE = frozenset(
    {"gymnasium.core:Env", "stable_baselines3.common.callbacks:BaseCallback"}
    | {"stable_baselines3.common.vec_env.base_vec_env:VecEnv"}
)
_LEARNER = "stable_baselines3.common.base_class:BaseAlgorithm"
_WALKS_ONLY = {"trackway.frameworks.gymnasium.record_env:RecordEnv": frozenset({"env"})}


@cache
def kept_attributes(kind: type) -> frozenset[str]:
    """Attributes of such an object that are left alone."""
    kept: frozenset[str] = frozenset()
    for base in kind.__mro__:
        kept |= _KEPT_ATTRIBUTES.get(_name(base), frozenset())
        if _name(base) == _LINKS_TO_CODE:
            return frozenset(kept_attributes(base.__mro__[1]) - {"callback"})
    return kept


@cache
def walks_only(kind: type) -> frozenset[str]:
    """The only attributes of such an object that are looked at; empty: all of them."""
    return _WALKS_ONLY.get(_name(kind), frozenset())


def is_left_alone(kind: type, name: str, part: object) -> bool:
    """Whether an attribute of such an object, which has this value, stays as this program has it."""
    of: type = type(part)
    return _is_left_alone(kind, name) or (name in _DRAWING and _draws(kind, of))


@lru_cache(1 << 12)
def _is_left_alone(kind: type, name: str) -> bool:
    only = walks_only(kind)
    own = name.startswith("_trackway")
    return own or name in kept_attributes(kind) or (bool(only) and name not in only)


@lru_cache(1 << 12)
def _draws(kind: type, part: type) -> bool:
    """Whether an environment of Gymnasium's draws with it; one of a program's may have called another thing so."""
    classic = any(base.__module__.startswith(_CLASSIC) for base in kind.__mro__)
    return classic and (part in (type(None), bool) or part.__module__.startswith("pygame"))


@cache
def is_learner(kind: type) -> bool:
    """Whether such an object trains by itself: whose state is in more than its attributes."""
    return any(_name(base) == _LEARNER for base in kind.__mro__)


@cache
def is_live(kind: type) -> bool:
    """Whether such an object takes part in a training, and is no constant, also if a module holds it."""
    return any(_name(base) in _LIVE for base in kind.__mro__)


@cache
def is_kept(kind: type) -> bool:
    """Whether such an object is left alone as a whole."""
    if walks_only(kind):
        return False
    own = kind.__module__.split(".")[0] == "trackway"
    return own or any(_name(base) in _KEPT_CLASSES for base in kind.__mro__)


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"
