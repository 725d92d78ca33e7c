"""Environments whose state lies where nobody looks for it."""

from __future__ import annotations

import ctypes
import datetime as dt
import io
import itertools
import os
import random
import threading
import time
from collections import deque
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import EzPickle

BOX = gym.spaces.Box(-10, 10, (2,), np.float32)
ACTIONS = gym.spaces.Box(-1, 1, (2,), np.float32)
_GLOBAL_RNG = np.random.default_rng(0)
_GLOBAL_LIST: list[float] = []
_GLOBAL_COUNT = 0
_GLOBAL_COUNTER = itertools.count()
GOALS = [np.zeros(2), np.ones(2)]


class Drift(gym.Env[Any, Any]):
    """A point that drifts; its honest state is `x`. Others add to it."""

    observation_space, action_space = BOX, ACTIONS

    def __init__(self) -> None:
        self.x, self.steps = np.zeros(2), 0

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.x, self.steps = self.np_random.random(2), 0
        return self.obs(), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        self.x = np.clip(self.x + 0.1 * np.asarray(action) + self.drift(), -9, 9)
        return self.obs(), float(self.x.sum()), False, self.steps >= 10, {}

    def drift(self) -> Any:
        return self.np_random.normal(size=2) * 0.01

    def obs(self) -> Any:
        return self.x.astype(np.float32)


# -- honest, though unusual: these are exact -------------------------------------------------------


class SharedGenerators(Drift):
    def drift(self) -> Any:
        return random.random() + np.random.random()  # noqa: NPY002


class AcrossEpisodes(Drift):
    def __init__(self) -> None:
        super().__init__()
        self.all_steps, self.history = 0, deque(maxlen=3)

    def drift(self) -> Any:
        self.all_steps += 1
        self.history.append(self.x.copy())
        return np.sin(self.all_steps) * sum(self.history)


class Forgetful(Drift, EzPickle):
    """Pickle would make it anew and lose everything."""

    def __init__(self, size: float = 1.0) -> None:
        EzPickle.__init__(self, size)
        Drift.__init__(self)


class Closures(Drift):
    def __init__(self) -> None:
        super().__init__()
        count = 0

        def counted() -> float:
            nonlocal count
            count += 1
            return float(np.cos(count))

        self.counted = counted

    def drift(self) -> Any:
        return self.counted()


class Unpicklable(Drift):
    def __init__(self) -> None:
        super().__init__()
        self.rule = lambda x: 0.99 * x

    def drift(self) -> Any:
        return self.rule(self.x) - self.x


class Views(Drift):
    def __init__(self) -> None:
        super().__init__()
        self.memory = np.zeros(6)
        self.left = self.memory[:2]

    def drift(self) -> Any:
        self.memory += 0.01
        return self.left


class Slots(Drift):
    class Part:
        __slots__ = ("value",)

    def __init__(self) -> None:
        super().__init__()
        self.part = Slots.Part()
        self.part.value = 0.0

    def drift(self) -> Any:
        self.part.value += 0.1
        return self.part.value


class Iterators(Drift):
    def __init__(self) -> None:
        super().__init__()
        self.count, self.levels = itertools.count(), itertools.cycle(["a", "bb", "ccc"])

    def drift(self) -> Any:
        return next(self.count) * 1e-3 + len(next(self.levels))


# -- treacherous: none of these may be called exact --------------------------------------------------


class Clock(Drift):
    def drift(self) -> Any:
        return time.time() % 1.0


class CoarseClock(Drift):
    def drift(self) -> Any:
        return (time.time() // 1e6) * 1e-9


class Calendar(Drift):
    def drift(self) -> Any:
        return dt.date.today().year * 1e-6  # noqa: DTZ011


class Entropy(Drift):
    def drift(self) -> Any:
        return os.urandom(1)[0] * 0.0


class FreshGenerator(Drift):
    def drift(self) -> Any:
        return np.random.default_rng().random()


class ModuleGenerator(Drift):
    def drift(self) -> Any:
        return _GLOBAL_RNG.random()


class ModuleList(Drift):
    def drift(self) -> Any:
        _GLOBAL_LIST.append(0.0)
        return len(_GLOBAL_LIST) * 1e-3


class ModuleCount(Drift):
    def reset(self, **keywords: Any) -> Any:
        global _GLOBAL_COUNT
        _GLOBAL_COUNT += 1
        return super().reset(**keywords)

    def drift(self) -> Any:
        return _GLOBAL_COUNT * 1e-3


class ClassCount(Drift):
    total = 0

    def drift(self) -> Any:
        type(self).total += 1
        return type(self).total * 1e-3


class Generator(Drift):
    def __init__(self) -> None:
        super().__init__()
        self.waves = (np.sin(i) for i in itertools.count())

    def drift(self) -> Any:
        return next(self.waves)


class Counter(Drift):
    def drift(self) -> Any:
        return next(_GLOBAL_COUNTER) * 1e-3


class Threads(Drift):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class OpenFile(Drift):
    def __init__(self) -> None:
        super().__init__()
        self.file = open(os.devnull)  # noqa: PTH123, SIM115


class ReadsAFile(Drift):
    def drift(self) -> Any:
        with open(__file__) as file:  # noqa: PTH123
            return len(file.read()) * 1e-9


class Addresses(Drift):
    """Remembers by address, which is another one after a resume."""

    def __init__(self) -> None:
        super().__init__()
        self.part = [1.0]
        self.known = {id(self.part): 0.5}

    def drift(self) -> Any:
        return self.known.get(id(self.part), 0.0)


class Identity(Drift):
    def __init__(self) -> None:
        super().__init__()
        self.goal = GOALS[1]

    def drift(self) -> Any:
        return 0.5 if self.goal is GOALS[1] else 0.0


class SetOfNames(Drift):
    def __init__(self) -> None:
        super().__init__()
        self.names = {"a", "b", "c", "d"}

    def drift(self) -> Any:
        return ord(next(iter(self.names))) * 1e-3


class DefaultArgument(Drift):
    def drift(self, memory: list[float] = []) -> Any:  # noqa: B006
        memory.append(0.0)
        return len(memory) * 1e-3


class ProcessNumber(Drift):
    def drift(self) -> Any:
        return os.getpid() * 1e-9


class ListWithState(Drift):
    class Log(list[float]):
        pass

    def __init__(self) -> None:
        super().__init__()
        self.log = ListWithState.Log()

    def drift(self) -> Any:
        self.log.append(1.0)
        return len(self.log) * 1e-3


class Memory(Drift):
    """A stream keeps it, below Python."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = io.BytesIO()

    def drift(self) -> Any:
        return self.stream.write(b".") * self.stream.tell() * 1e-3


HONEST = [
    SharedGenerators, AcrossEpisodes, Forgetful, Closures, Unpicklable, Views, Slots, Iterators,
    ListWithState,
]  # fmt: skip
TREACHEROUS = [
    Clock, CoarseClock, Calendar, Entropy, FreshGenerator, ModuleGenerator, ModuleList, ModuleCount,
    ClassCount, Generator, Counter, Threads, OpenFile, ReadsAFile, Addresses, Identity, SetOfNames,
    DefaultArgument, ProcessNumber, Memory,
]  # fmt: skip


class ToldInPart(Drift):
    """Tells its state itself, but for something that cannot be taken."""

    def state_dict(self) -> dict[str, Any]:
        return {"x": self.x, "waves": (wave for wave in ())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.x = state["x"]


# -- what moves is hidden in objects written in C: it can only be played again --------------------------


class HiddenWorld(Drift):
    """A reset makes its world anew: an episode follows from its seed and its actions.

    A golden checkpoint holds one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = (ctypes.c_double * 1)()

    def reset(self, **keywords: Any) -> Any:
        self.world = (ctypes.c_double * 1)()
        return super().reset(**keywords)

    def drift(self) -> Any:
        self.world[0] += 0.1
        return np.sin(self.world[0]) + self.np_random.normal(size=2) * 0.01


class HiddenWaves(HiddenWorld):
    def reset(self, **keywords: Any) -> Any:
        self.waves = (np.sin(i) for i in itertools.count())
        return super().reset(**keywords)

    def drift(self) -> Any:
        return next(self.waves)


class CountsEpisodes(HiddenWorld):
    """What it counts over all episodes is a number, and numbers come along."""

    def __init__(self) -> None:
        super().__init__()
        self.episodes = 0

    def reset(self, **keywords: Any) -> Any:
        self.episodes += 1
        return super().reset(**keywords)

    def drift(self) -> Any:
        return super().drift() + self.episodes * 0.01


# -- liars: played again, none of these may be called exact ---------------------------------------------


class KeepsItsWorld(HiddenWorld):
    def reset(self, **keywords: Any) -> Any:
        return Drift.reset(self, **keywords)


class Ages(HiddenWorld):
    """The world of a later episode is another one, and nobody sees why."""

    def __init__(self) -> None:
        super().__init__()
        self.age = (ctypes.c_double * 1)()

    def reset(self, **keywords: Any) -> Any:
        self.age[0] += 1
        return super().reset(**keywords)

    def drift(self) -> Any:
        return super().drift() + self.aged() * 0.1

    def aged(self) -> float:
        return self.age[0]


class WarmsUp(Ages):
    def aged(self) -> float:
        return float(self.age[0] < 3)


class LiesLater(Ages):
    """Nobody can find this one out before it lies."""

    def aged(self) -> float:
        return float(self.age[0] >= 12)


class HiddenLog(HiddenWorld):
    """Not that it mattered yet: what it keeps of all episodes may."""

    def __init__(self) -> None:
        super().__init__()
        self.log = list[int]()

    def reset(self, **keywords: Any) -> Any:
        self.log.append(self.steps)
        return super().reset(**keywords)


class HiddenClock(HiddenWorld):
    def drift(self) -> Any:
        return super().drift() + (time.time() // 1e6) * 1e-9


class HiddenSharedDice(HiddenWorld):
    def drift(self) -> Any:
        return super().drift() + np.random.random()  # noqa: NPY002


class HiddenModuleDice(HiddenWorld):
    def drift(self) -> Any:
        return super().drift() + _GLOBAL_RNG.random()


class HiddenFreshDice(HiddenWorld):
    def reset(self, **keywords: Any) -> Any:
        self.dice = np.random.default_rng()
        return super().reset(**keywords)

    def drift(self) -> Any:
        return super().drift() + self.dice.random()


class HiddenOwnDice(HiddenWorld):
    """Thrown on and on, over all episodes."""

    def __init__(self) -> None:
        super().__init__()
        self.dice = np.random.default_rng(5)

    def drift(self) -> Any:
        return super().drift() + self.dice.random()


class HiddenModuleList(HiddenWorld):
    def drift(self) -> Any:
        _GLOBAL_LIST.append(0.0)
        return super().drift() + len(_GLOBAL_LIST) * 1e-3


class HiddenHash(HiddenWorld):
    def drift(self) -> Any:
        return super().drift() + hash("goal") % 7


class HiddenAddress(HiddenWorld):
    """Even where two of them agree by chance."""

    def drift(self) -> Any:
        return super().drift() + id(self) * 0.0


class HiddenFile(HiddenWorld):
    def reset(self, **keywords: Any) -> Any:
        with open(__file__) as file:  # noqa: PTH123
            self.length = len(file.read())
        return super().reset(**keywords)


class HiddenSet(HiddenWorld):
    def __init__(self) -> None:
        super().__init__()
        self.names = {"a", "b", "c", "d"}

    def drift(self) -> Any:
        return super().drift() + ord(next(iter(self.names))) * 1e-3


class ReachesOut(HiddenWorld):
    """Whatever is behind that lock, a robot perhaps, does not take the same steps twice unasked."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class SaysNo(HiddenWorld):
    metadata = {"render_modes": [], "can_replay": False}  # noqa: RUF012


class OneOfAKind(HiddenWorld):
    """Nobody knows how to make a second one."""

    def __init__(self, size: float = 1.0) -> None:
        super().__init__()


PLAYED = [HiddenWorld, HiddenWaves, CountsEpisodes]
LIARS = [
    KeepsItsWorld, Ages, WarmsUp, HiddenLog, HiddenClock, HiddenSharedDice, HiddenModuleDice,
    HiddenFreshDice, HiddenOwnDice, HiddenModuleList, HiddenHash, HiddenAddress, HiddenFile, HiddenSet,
    ReachesOut, SaysNo, OneOfAKind,
]  # fmt: skip
