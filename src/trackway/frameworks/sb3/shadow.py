"""Does the captured state of an environment say all? Its own next steps are the judge.

    live    S ── step ── step ── … ── step      what came out is noted, and the random generators' states
            └ captured
    shadow  S ── step ── step ── … ── step      rebuilt from the captured state alone, the same actions

A shadow that parts from its environment shows state that lies elsewhere: in a module, in a class, in
what an address or an order of hashes decides. Then a second shadow does the same: what the first one
has changed outside itself shows there. And while they step it is noted who reads a clock, entropy,
a file or a socket, which agree today and not tomorrow.

Where a part of the innermost layer cannot be taken, its shadow is a second environment, in which the
running episode is played again (`tape`); the wrappers are rebuilt around that one.
"""

from __future__ import annotations

import contextlib
import gc
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
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
from trackway.frameworks.sb3.tape import Tape, digest_of, may_be_played, play

Env = gymnasium.Env[Any, Any]

STEPS = 32
_AFTERWARDS = 8  # steps of a further episode, in which the shadows are compared with each other
_TAPED = 8  # steps on a tape before the notes begin, so that there is something to play

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
    "builtins.hash": "computes a hash, which may be another one in another process",
}
# A rebuilt shadow has other addresses, and shows it; a second environment of this process may not.
_OUTSIDE_PLAYED = {**_OUTSIDE, "builtins.id": "looks at an address"}
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
    digest: bytes


class Shadow:
    """Watches an environment for some steps, then tries its captured state.

    Nothing of the environment is changed; it is stepped by nobody but its training.

    Args:
        env: The outermost layer, as its VecEnv calls it.
        second: Makes another one like its innermost layer; None if nobody knows how.

    Attributes:
        tape: Of its episodes, where its state cannot be taken; None where it can, or where playing
            them again was found not to help.
        concluded: Whether it has been tried.
    """

    def __init__(self, env: Env, second: Callable[[], Env] | None = None) -> None:
        self._env, self._second, self._noted = env, second, list[_Noted]()
        self._reasons: list[str] = []
        self._own = self.concluded = False
        self._patch: Patch | None = None
        self._episode: dict[str, Any] | None = None  # where the notes begin
        self.tape: Tape | None = None
        try:
            taker = self._take({})
        except OpaqueError as error:
            self._reasons.append(str(error))
            return
        self._reasons = list(taker.graph.unsupported)
        self._own = any(node["k"] == "own" for node in taker.graph.document()["nodes"])
        if self._own:
            return
        if self._reasons:
            if second is None or not self._playable(taker):
                return
            self.tape = Tape(env.unwrapped)
        self._watch()

    @property
    def ready(self) -> bool:
        """Whether enough has been noted."""
        hopeless = bool(self._reasons) and self.tape is None
        return hopeless or self._own or self.concluded

    def conclude(self) -> list[str]:
        """Why the state does not say all, sentences; none if it does."""
        self.close()
        done, self.concluded = self.concluded, True
        if done or self._own or (self._reasons and self.tape is None):
            return self._reasons
        found = self._try()
        if self.tape is None:
            self._reasons = found
        elif not found:
            self._reasons = []
        else:
            self._reasons += found
            self.tape.close()
            self.tape = None
        return self._reasons

    def close(self) -> None:
        """Watch no longer; a tape goes on."""
        patch, self._patch = self._patch, None
        if patch is not None:
            patch.undo()

    # -- the live environment -----------------------------------------------------------------

    def _take(self, externals: Mapping[str, object]) -> Capture:
        taker = Capture(externals, boundaries=(gymnasium.Env,))
        taker.add("env", self._env)
        graph = taker.finish()
        self._document, self._arrays = graph.document(), graph.arrays
        self._originals = taker.originals
        return taker

    def _playable(self, taker: Capture) -> bool:
        """Whether nothing but the innermost layer is in the way, and that one may be played again."""
        inner = self._env.unwrapped
        around = self._take({"inner": inner})
        return may_be_played(inner, taker.graph) and not around.graph.unsupported

    def _watch(self) -> None:
        env = self._env
        self._patch = Patch(
            env, **{name: self._noting(name, getattr(env, name)) for name in _CALLS}
        )

    def _noting(self, name: str, call: Any) -> Any:
        def noting(*arguments: Any, **keywords: Any) -> Any:
            if self.tape is not None and not self._begun(name):
                return call(*arguments, **keywords)
            rng, kept = capture_rng(), tuple(np.array(a) for a in arguments)
            result = call(*arguments, **keywords)
            self._noted.append(_Noted(rng, name, kept, keywords, digest_of(name, result)))
            if len(self._noted) == STEPS:
                self.conclude()  # at once: later its program may have changed what it depends on
            return result

        return noting

    def _begun(self, name: str) -> bool:
        """Whether there is an episode to be played before the notes; they begin with a step."""
        assert self.tape is not None
        if self._episode is None and name == "step" and self.tape.taped >= _TAPED:
            self._episode = deepcopy(self.tape.told())
            if self._episode is not None:
                self._take({"inner": self._env.unwrapped})
        return self._episode is not None

    # -- its shadow ---------------------------------------------------------------------------

    def _try(self) -> list[str]:
        found: list[str] = []
        outside: dict[str, None] = {}
        before, second = capture_rng(), None
        episodes = [deepcopy(self._episode) for _ in range(2)]
        try:
            if self.tape is not None and self._second is not None:
                second = self._second()
                second.reset(seed=0)  # as `learn` does, before anything is put back
            with _noticing(outside, _OUTSIDE if second is None else _OUTSIDE_PLAYED):
                came = [self._replay(second, e, found) for e in episodes if not found]
            if not found and came[0] != came[1]:
                found.append("a later episode differs: something outlives a reset elsewhere")
        except DoesNotFitError as error:
            found.append(f"its state cannot be put together: {error}")
        except Exception as error:  # noqa: BLE001 - a foreign environment, rebuilt by us
            found.append(f"rebuilt from its state it fails: {error!r}")
        finally:
            if second is not None:
                with contextlib.suppress(Exception):
                    second.close()
            restore_rng(before)
        found += [f"the environment {what}: what it does depends on it" for what in outside]
        return found

    def _replay(
        self, second: Env | None, episode: dict[str, Any] | None, found: list[str]
    ) -> list[bytes]:
        inner = {}
        if second is not None and episode is not None:
            if (why := play(second, episode)) is not None:
                found.append(why)
                return []
            inner = {"inner": second}
        rebuild = Rebuild(self._document, self._arrays, inner, originals=self._originals)
        env = rebuild.root("env")
        rebuild.write()
        _unpatch(env)
        for i, noted in enumerate(self._noted):
            restore_rng(noted.rng)
            arguments = tuple(a if a.ndim else a[()] for a in noted.arguments)
            result = getattr(env, noted.call)(*arguments, **noted.keywords)
            if digest_of(noted.call, result) != noted.digest:
                found.append(f"rebuilt from its state it parts after {i + 1} steps")
                return []
        actions = [noted.arguments[0] for noted in self._noted if noted.call == "step"]
        digests = [digest_of("reset", env.reset())]
        for action in actions[:_AFTERWARDS]:
            result = env.step(action if action.ndim else action[()])
            digests.append(digest_of("step", result))
            if result[2] or result[3]:
                digests.append(digest_of("reset", env.reset()))
        return digests


def _unpatch(env: Any) -> None:
    """Take off what others have put on the live environment: it would step that one."""
    while env is not None:
        for name in _CALLS:
            vars(env).pop(name, None)
        env = env.env if isinstance(env, gymnasium.Wrapper) else None


@contextlib.contextmanager
def _noticing(outside: dict[str, None], watched: Mapping[str, str]) -> Iterator[None]:
    """Note who asks the world outside; functions written in C cannot be called unseen."""

    def look(frame: FrameType, event: str, function: Any) -> None:
        if event != "c_call":
            return
        name = getattr(function, "__name__", "")
        what = watched.get(f"{getattr(function, '__module__', None)}.{name}")
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
