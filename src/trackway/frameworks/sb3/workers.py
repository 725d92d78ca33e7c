"""The environments of a SubprocVecEnv, taken and put back where they live.

A worker answers questions to its environment only, and knows no name of ours. So a function is
laid down on each environment as an attribute, and called as one of its methods. It is pickled by
its name, so a worker that can import Trackway can call it; it finds its environment in the frame
of the worker's loop, because an attribute that is a plain function is not given its object.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import Any

import gymnasium
from stable_baselines3.common.vec_env import SubprocVecEnv

from trackway.checkpoint.capture import Capture
from trackway.checkpoint.constants import Constants
from trackway.checkpoint.graph import OpaqueError
from trackway.checkpoint.rebuild import Rebuild
from trackway.checkpoint.rng import capture_rng, restore_rng
from trackway.checkpoint.surroundings import Surroundings, code_of
from trackway.frameworks.sb3.given import look_at_named_data
from trackway.frameworks.sb3.shadow import Shadow
from trackway.frameworks.sb3.tape import play_on, second_of

_CAPTURE, _RESTORE = "_trackway_capture", "_trackway_restore"
_WATCH, _JUDGE = "_trackway_watch", "_trackway_judge"
_LOOK = "_trackway_look"
# Of the processes, or taken by name.
_PLUMBING = frozenset(
    {"waiting", "closed", "remotes", "work_remotes", "processes", "num_envs", "render_mode"}
    | {"observation_space", "action_space", "metadata", "reset", "step_async", "step_wait"}
)


def capture(venv: SubprocVecEnv, missing: list[str], around: list[str]) -> dict[str, Any]:
    """The state of every worker: its environment, and its process's own random generators.

    Args:
        venv: The VecEnv.
        missing: Is told what could not be taken, sentences.
        around: Is told the same of what the program gives to the environments.
    """
    if not getattr(venv, _CAPTURE, False):
        venv.set_attr(_CAPTURE, capture_here)
        venv.set_attr(_RESTORE, restore_here)
        setattr(venv, _CAPTURE, True)
    found = venv.env_method(_CAPTURE)
    for told, name in ((missing, "missing"), (around, "around")):
        told += dict.fromkeys(sentence for worker in found for sentence in worker.pop(name))
    return {
        "workers": found,
        "local": {
            name: value
            for name, value in vars(venv).items()
            if name not in _PLUMBING and not name.startswith("_trackway")
        },
    }


def look(venv: SubprocVecEnv) -> None:
    """Let every worker note what the program has given to its environment (`Surroundings`)."""
    if not getattr(venv, _LOOK, False):
        venv.set_attr(_LOOK, look_here)
        venv.env_method(_LOOK)
        setattr(venv, _LOOK, True)


def restore(venv: SubprocVecEnv, state: dict[str, Any], failed: list[str]) -> None:
    """Put the state of every worker back.

    Args:
        venv: The VecEnv.
        state: By `capture`.
        failed: Is told which episodes, played again, did not come out.
    """
    look(venv)
    venv.set_attr(_RESTORE, restore_here)
    for i, worker in enumerate(state["workers"]):
        failed += venv.env_method(_RESTORE, worker, indices=[i])[0]
    vars(venv).update(state["local"])


def capture_here() -> dict[str, Any]:
    """In a worker: the state of its environment and its generators."""
    env, missing, episode = _own_env(), [], None
    tape = _shadows[0].tape if _shadows and _shadows[0].concluded else None
    if tape is not None and (episode := tape.told()) is None:
        missing.append(str(tape.why_not))
    retold = {} if episode is None else {id(env.unwrapped): episode}
    constants = _constants[0] if _constants else None
    taker = Capture(boundaries=(gymnasium.Env,), retold=retold, constants=constants)
    try:
        taker.add("env", env)
    except OpaqueError as error:  # which would end the worker, and the training with it
        missing.append(str(error))
    taker.add("rng", capture_rng())
    known = len(taker.graph.unsupported)
    for surroundings in _surroundings:
        surroundings.take(taker)
    around = taker.graph.unsupported[known:]
    graph = taker.finish()
    return {
        "document": json.dumps(graph.document()),
        "arrays": graph.arrays,
        "missing": missing + [each for each in graph.unsupported if each not in around],
        "around": around,
    }


def restore_here(state: dict[str, Any]) -> list[str]:
    """In a worker: put them back; why an episode, played again, did not come out."""
    failed: list[str] = []
    players: dict[type, Any] = {gymnasium.Env: partial(play_on, failed=failed)}
    document = json.loads(state["document"])
    rebuild = Rebuild(document, state["arrays"], adapters=players, constants=_constants[0])
    if "env" in rebuild.roots:
        rebuild.root("env", _own_env())
    for surroundings in _surroundings:
        surroundings.put(rebuild)
    rng = rebuild.root("rng")
    rebuild.write()
    restore_rng(rng)
    return failed


def watch(venv: SubprocVecEnv) -> None:
    """Let every worker watch its environment (`Shadow`)."""
    venv.set_attr(_WATCH, watch_here)
    venv.set_attr(_JUDGE, judge_here)
    venv.env_method(_WATCH)


def judge(venv: SubprocVecEnv) -> list[str] | None:
    """What the workers found, without repetitions; None while one has not seen enough."""
    found = venv.env_method(_JUDGE)
    if None in found:
        return None
    return list(dict.fromkeys(sentence for sentences in found for sentence in sentences))


def look_here() -> None:
    """In a worker: note what the code of its environment finds outside it."""
    taker = Capture(boundaries=(gymnasium.Env,))
    taker.attempt(_own_env(), "env")
    _constants[:] = [Constants(code_of(taker))]
    _surroundings[:] = [Surroundings(boundaries=(gymnasium.Env,))]
    look_at_named_data(_surroundings[0], code_of(taker))


def watch_here() -> None:
    """In a worker: begin to watch its environment; whoever did so before ends."""
    for shadow in _shadows:
        shadow.close()
        if shadow.tape is not None:
            shadow.tape.close()
    env = _own_env()
    _shadows[:] = [Shadow(env, second_of(env.unwrapped))]


def judge_here() -> list[str] | None:
    """In a worker: what was found; None while too little was seen."""
    (shadow,) = _shadows
    return shadow.conclude() if shadow.ready else None


_shadows: list[Shadow] = []
_surroundings: list[Surroundings] = []
_constants: list[Constants] = []


def _own_env() -> Any:
    frame = sys._getframe(1)
    while not isinstance(env := frame.f_locals.get("env"), gymnasium.Env):
        assert frame.f_back is not None, "called outside a worker"
        frame = frame.f_back
    return env
