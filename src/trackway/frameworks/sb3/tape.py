"""The running episode of an environment whose state cannot be taken, to be played again.

    reset(seed) ── action ── action ── … ── action     on the tape, with a digest of what each led to
       └ its generator, and its attributes that are numbers and words, as they were before

Played in an environment that was built afresh, the same must come out at each step, nothing may be
drawn from generators that a process shares, and in the end whatever can be seen of its attributes
must be as it was. What the environment brought along from earlier episodes shows there.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import mmap
import socket
import threading
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import EzPickle

from trackway.checkpoint.capture import Capture
from trackway.checkpoint.fingerprint import fingerprint
from trackway.checkpoint.graph import Graph
from trackway.checkpoint.rng import capture_rng
from trackway.checkpoint.rules import is_left_alone
from trackway.frameworks.patch import Patch

# Playing an episode costs its time at each resume, its actions room in each checkpoint.
LONGEST = 10_000
_FIRST, _DIGEST_BYTES = 256, 8
_PLAIN = frozenset({int, float, bool, str, type(None)})
_PLAYED = "_trackway_played"  # on an environment: the tape that has just been played in it
# Whoever holds one of these may move something out there, which is not to be moved twice.
_REACH_OUT = (
    io.IOBase,
    mmap.mmap,
    np.memmap,
    socket.socket,
    type(threading.Lock()),
    type(threading.RLock()),
)


class Tape:
    """Notes the episodes of one environment, at its innermost layer, from the next reset on.

    Attributes:
        env: The environment.
        why_not: Why the running episode cannot be played again; None if it can.
        taped: Steps so far, of all episodes.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        self.env = env
        self.why_not: str | None = "the running episode began before anybody watched"
        self._begin: dict[str, Any] = {}
        self._numbers: dict[str, Any] = {}  # behind the last step
        self._actions = np.empty(0)
        self._digests = np.empty((1, _DIGEST_BYTES), np.uint8)
        self._steps = self.taped = 0
        played = vars(env).pop(_PLAYED, None)
        if played is not None:
            self._take_up(played)
        self._patch = Patch(env, step=self._noting_steps(env.step), reset=self._noting_resets())

    def told(self) -> dict[str, Any] | None:
        """The running episode so far, for `play`; its arrays are live. None where `why_not` says why."""
        self._look_for_changes()
        if self.why_not is not None:
            return None
        graph = _taken(self.env)
        if not may_be_played(self.env, graph):
            self.why_not = "it now holds what may reach outside"
            return None
        try:
            stands = fingerprint(graph)
        except RecursionError:
            self.why_not = "its attributes are nested too deeply"
            return None
        n = self._steps
        parts = {"actions": self._actions[:n], "digests": self._digests[: n + 1]}
        return {**self._begin, **parts, "stands": stands}

    def close(self) -> None:
        """Leave the environment as it was found."""
        self._patch.undo()

    def _take_up(self, told: dict[str, Any]) -> None:
        self.why_not = None
        self._begin = {n: v for n, v in told.items() if n not in ("actions", "digests", "stands")}
        self._numbers = _numbers(self.env)
        self._actions, self._digests = np.array(told["actions"]), np.array(told["digests"])
        self._steps = len(self._actions)

    def _noting_resets(self) -> Callable[..., Any]:
        env, reset = self.env, self.env.reset
        kind: type = type(env)

        def noting(*arguments: Any, **keywords: Any) -> Any:
            begin: dict[str, Any] = {}
            try:
                begin = {
                    "rng": deepcopy(vars(env).get("_np_random")),
                    "seed_number": vars(env).get("_np_random_seed"),
                    "numbers": {
                        n: v for n, v in _numbers(env).items() if not is_left_alone(kind, n, v)
                    },
                    "keywords": deepcopy(keywords),
                }
                self.why_not = "reset was called with unnamed arguments" if arguments else None
            except Exception as error:  # noqa: BLE001 - somebody else's options
                self.why_not = f"what reset was called with cannot be kept: {error!r}"
            result = reset(*arguments, **keywords)
            if self.why_not is None:
                self._begin, self._steps, self._numbers = begin, 0, _numbers(env)
                self._note(0, "reset", result)
            return result

        return noting

    def _noting_steps(self, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def noting(action: Any) -> Any:
            if self.why_not is not None:
                return step(action)
            self._look_for_changes()
            self._act(action)  # before: the environment may change it in place
            result = step(action)
            if self.why_not is None:
                self._steps += 1
                self.taped += 1
                self._numbers = _numbers(self.env)
                self._note(self._steps, "step", result)
            return result

        return noting

    def _look_for_changes(self) -> None:
        """A curriculum, perhaps: what is set from outside within an episode is not on its tape."""
        if self.why_not is None and self._numbers != (now := _numbers(self.env)):
            changed = [n for n in now if n not in self._numbers or self._numbers[n] != now[n]]
            names = ", ".join(changed) or "an attribute"
            self.why_not = f"within the running episode somebody changed {names}"

    def _act(self, action: Any) -> None:
        try:
            given = np.asarray(action)
        except ValueError:
            given = np.empty(0, object)
        n, kept = self._steps, self._actions
        if given.dtype.kind not in "biuf":
            self.why_not = "its actions are not arrays of numbers"
        elif n == LONGEST:
            self.why_not = f"the running episode is longer than {LONGEST:,} steps"
        elif (kept.dtype, kept.shape[1:]) != (given.dtype, given.shape):
            if n:
                self.why_not = "its actions are not all of one kind"
            else:
                kept = self._actions = np.empty((_FIRST, *given.shape), given.dtype)
        if self.why_not is None:
            if n == len(kept):
                more = np.empty((max(n, _FIRST), *given.shape), given.dtype)
                self._actions = np.concatenate([kept, more])
            self._actions[n] = given

    def _note(self, n: int, call: str, result: Any) -> None:
        if n == len(self._digests):
            more = np.empty((max(n, _FIRST), _DIGEST_BYTES), np.uint8)
            self._digests = np.concatenate([self._digests, more])
        try:
            digest = digest_of(call, result)[:_DIGEST_BYTES]
        except Exception as error:  # noqa: BLE001 - anything can come out of an environment
            self.why_not = f"what came out cannot be compared: {error!r}"
        else:
            self._digests[n] = np.frombuffer(digest, np.uint8)


def may_be_played(env: gymnasium.Env[Any, Any], graph: Graph) -> bool:
    """Whether it may be tried: what could not be taken lies in objects written in C, and stays inside.

    Args:
        env: The innermost layer; `metadata["can_replay"] = False` says no.
        graph: It, but for that.
    """
    inside = not any(issubclass(kind, _REACH_OUT) for kind in graph.hidden)
    only_hidden = len(graph.hidden) == len(graph.unsupported)
    return inside and only_hidden and bool((env.metadata or {}).get("can_replay", True))


def second_of(env: gymnasium.Env[Any, Any]) -> Callable[[], gymnasium.Env[Any, Any]] | None:
    """How a second one like it is made, if that can be known; innermost layers."""
    kind, spec = type(env), env.spec
    if spec is not None:
        unseen = {"render_mode": None} if "render_mode" in spec.kwargs else {}
        return lambda: gymnasium.make(spec, **unseen).unwrapped
    if isinstance(env, EzPickle):
        return lambda: kind(*env._ezpickle_args, **env._ezpickle_kwargs)
    return None if inspect.signature(kind).parameters else kind


def play(env: gymnasium.Env[Any, Any], told: dict[str, Any]) -> str | None:
    """Bring an environment, built afresh, to where the one that was taped stood.

    Args:
        env: The innermost layer; nobody's patches are called.
        told: By `Tape.told`; its generator becomes the environment's own.

    Returns:
        Why it does not stand there, a sentence; None if it does.
    """
    kind, actions, shared = type(env), told["actions"], _shared_generators()
    vars(env).update(told.get("numbers", {}))
    env._np_random, env._np_random_seed = told["rng"], told["seed_number"]
    try:
        came = digest_of("reset", kind.reset(env, **told["keywords"]))
        for i, expected in enumerate(told["digests"]):
            if came[:_DIGEST_BYTES] != expected.tobytes():
                return f"played again, its episode parts after {i} steps"
            if i < len(actions):
                action = np.array(actions[i])
                came = digest_of("step", kind.step(env, action if action.ndim else action[()]))
        if _shared_generators() != shared:
            return "it draws from generators that the process shares"
        if fingerprint(_taken(env)) != told["stands"]:
            return "played again, its episode ends with attributes of other values"
    except Exception as error:  # noqa: BLE001 - a foreign environment
        return f"played again, its episode fails: {error!r}"
    return None


def play_on(env: gymnasium.Env[Any, Any], told: dict[str, Any], failed: list[str]) -> None:
    """`play`, and let the next `Tape` of the environment go on from there."""
    if (why := play(env, deepcopy(told))) is not None:
        failed.append(f"{type(env).__name__}: {why}")
    else:
        vars(env)[_PLAYED] = told


def digest_of(call: str, result: Any) -> bytes:
    """Of obs, and reward, terminated and truncated; infos carry times."""
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list | tuple):
            for part in value:
                add(part)
        else:
            array = np.asarray(value)
            digest.update(array.dtype.str.encode() + array.tobytes())

    add(result[0] if call == "reset" else result[:4])
    return digest.digest()


def _numbers(env: gymnasium.Env[Any, Any]) -> dict[str, Any]:
    """Attributes that are numbers and words: nobody else can hold them."""
    return {name: value for name, value in vars(env).items() if type(value) in _PLAIN}


def _taken(env: gymnasium.Env[Any, Any]) -> Graph:
    taker = Capture(boundaries=(gymnasium.Env,))
    taker.add("env", env)
    return taker.finish()


def _shared_generators() -> str:
    return repr(_written(capture_rng()))


def _written(state: Any) -> Any:
    if isinstance(state, dict):
        return {name: _written(part) for name, part in state.items()}
    if isinstance(state, list):
        return [_written(part) for part in state]
    return state.tobytes() if isinstance(state, np.ndarray) else state
