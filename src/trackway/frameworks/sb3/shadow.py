"""Does the captured state of an environment say all? Its own next steps are the judge.

    live    S ── step ── step ── … ── step      what came out is noted, and the random generators' states
            └ captured
    shadow  S ── step ── step ── … ── step      rebuilt from the captured state alone, the same actions

A shadow that parts from its environment shows state that lies elsewhere: in a module, in a class, in
what an address or an order of hashes decides. Then a second shadow does the same: what the first one
has changed outside itself shows there. And while they step it is noted who reads a clock, entropy,
a file or a socket, which agree today and not tomorrow.
"""

from __future__ import annotations

import gc
import hashlib
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import gymnasium
import numpy as np

from trackway.checkpoint.capture import Capture
from trackway.checkpoint.graph import DoesNotFitError, OpaqueError
from trackway.checkpoint.rebuild import Rebuild
from trackway.checkpoint.rng import capture_rng, restore_rng
from trackway.frameworks.patch import Patch

STEPS = 32
_AFTERWARDS = 8  # steps of a further episode, in which the shadows are compared with each other

_CALLS = ("step", "reset")
_CLOCKS = ("time", "monotonic", "perf_counter", "process_time", "localtime", "gmtime")
_OUTSIDE = {
    **{f"time.{name}{unit}": "reads a clock" for name in _CLOCKS for unit in ("", "_ns")},
    "posix.urandom": "draws from the system's entropy",
    "posix.getpid": "looks at the number of its process",
    "_io.open": "opens a file",
    "io.open": "opens a file",
    "posix.listdir": "looks into a folder",
    "posix.stat": "looks at a file",
}
_NOW = ("now", "utcnow", "today")
# They time episodes for the log, and look at files when they draw.
_TRUSTED = ("gymnasium.", "stable_baselines3.", "trackway.", "mujoco.", "numpy.", "threading")


@dataclass
class _Noted:
    """One call of the live environment: before, what it was given, what came out."""

    rng: dict[str, Any]
    call: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    digest: str


class Shadow:
    """Watches an environment for some steps, then tries its captured state.

    Nothing of the environment is changed; it is stepped by nobody but its training.

    Args:
        env: The outermost layer, as its VecEnv calls it.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        self._env, self._noted = env, list[_Noted]()
        self._reasons: list[str] = []
        self._own = False
        self._patch: Patch | None = None
        taker = Capture(boundaries=(gymnasium.Env,))
        try:
            taker.add("env", env)
        except OpaqueError as error:
            self._reasons.append(str(error))
            return
        graph = taker.finish()
        self._document, self._arrays = graph.document(), graph.arrays
        self._originals, self._reasons = taker.originals, list(graph.unsupported)
        self._own = any(node["k"] == "own" for node in graph.nodes)
        if not self._reasons and not self._own:
            self._watch()

    @property
    def ready(self) -> bool:
        """Whether enough has been noted."""
        return bool(self._reasons) or self._own or len(self._noted) >= STEPS

    def conclude(self) -> list[str]:
        """Why the state does not say all, sentences; none if it does."""
        self.close()
        if self._reasons or self._own:
            return self._reasons
        outside: dict[str, None] = {}
        before = capture_rng()
        try:
            with _noticing(outside):
                first, second = (self._replay() for _ in range(2))
            if not self._reasons and first != second:
                self._reasons.append(
                    "a later episode differs: something outlives a reset elsewhere"
                )
        except DoesNotFitError as error:
            self._reasons.append(f"its state cannot be put together: {error}")
        except Exception as error:  # noqa: BLE001 - a foreign environment, rebuilt by us
            self._reasons.append(f"rebuilt from its state it fails: {error!r}")
        finally:
            restore_rng(before)
        self._reasons += [f"the environment {what}: what it does depends on it" for what in outside]
        return self._reasons

    def close(self) -> None:
        """Watch no longer."""
        patch, self._patch = self._patch, None
        if patch is not None:
            patch.undo()

    # -- the live environment -----------------------------------------------------------------

    def _watch(self) -> None:
        env = self._env
        self._patch = Patch(
            env, **{name: self._noting(name, getattr(env, name)) for name in _CALLS}
        )

    def _noting(self, name: str, call: Any) -> Any:
        def noting(*arguments: Any, **keywords: Any) -> Any:
            if len(self._noted) >= STEPS:
                self.close()
                return call(*arguments, **keywords)
            rng, kept = capture_rng(), tuple(np.array(a) for a in arguments)
            result = call(*arguments, **keywords)
            self._noted.append(_Noted(rng, name, kept, keywords, _digest(name, result)))
            return result

        return noting

    # -- its shadow ---------------------------------------------------------------------------

    def _replay(self) -> list[str]:
        rebuild = Rebuild(self._document, self._arrays, originals=self._originals)
        env = rebuild.root("env")
        rebuild.write()
        _unpatch(env)
        for i, noted in enumerate(self._noted):
            restore_rng(noted.rng)
            arguments = tuple(a if a.ndim else a[()] for a in noted.arguments)
            result = getattr(env, noted.call)(*arguments, **noted.keywords)
            if _digest(noted.call, result) != noted.digest:
                self._reasons.append(f"rebuilt from its state it parts after {i + 1} steps")
                return []
        actions = [noted.arguments[0] for noted in self._noted if noted.call == "step"]
        digests = [_digest("reset", env.reset())]
        for action in actions[:_AFTERWARDS]:
            result = env.step(action if action.ndim else action[()])
            digests.append(_digest("step", result))
            if result[2] or result[3]:
                digests.append(_digest("reset", env.reset()))
        return digests


def _unpatch(env: Any) -> None:
    """Take off what others have put on the live environment: it would step that one."""
    while env is not None:
        for name in _CALLS:
            vars(env).pop(name, None)
        env = env.env if isinstance(env, gymnasium.Wrapper) else None


def _digest(call: str, result: Any) -> str:
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
    return digest.hexdigest()


@contextmanager
def _noticing(outside: dict[str, None]) -> Iterator[None]:
    """Note who asks the world outside; functions written in C cannot be called unseen."""

    def look(frame: FrameType, event: str, function: Any) -> None:
        if event != "c_call":
            return
        name = getattr(function, "__name__", "")
        what = _OUTSIDE.get(f"{getattr(function, '__module__', None)}.{name}")
        owner = getattr(function, "__self__", None)
        if getattr(owner, "__module__", None) == "datetime" and name in _NOW:
            what = "reads a clock"
        if isinstance(owner, socket.socket):
            what = "talks to somebody"
        if what is not None and not str(frame.f_globals.get("__name__")).startswith(_TRUSTED):
            outside[f"{what} ({frame.f_code.co_qualname})"] = None

    before, collecting = sys.getprofile(), gc.isenabled()
    gc.disable()  # whoever is called when garbage is collected is not the environment
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(before)
        if collecting:
            gc.enable()
