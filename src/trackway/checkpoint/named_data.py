"""Data that lies outside of objects and is named by their code: globals of modules, attributes of classes.

    class Harder(BaseCallback):
        def _on_rollout_end(self):
            world.DIFFICULTY += 0.1      the module's, or: global DIFFICULTY
            Walk.level += 1              the class's

Nobody who takes an object apart meets them; a resumed program has them as they are written there. So it is with
what a function has: attributes, defaults that are changed, and what its decorator has closed over; and with
classes and modules that an object holds.
"""

from __future__ import annotations

import builtins
import collections
import dis
import functools
import random
import sys
import types
import weakref
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from trackway.checkpoint.functions import content_of
from trackway.checkpoint.graph import NOTHING

# Their own data is no state of a training, or is taken care of by name.
_LIBRARIES = frozenset(
    {"gymnasium", "mujoco", "numpy", "sb3_contrib", "stable_baselines3", "torch", "trackway"}
    | sys.stdlib_module_names
)
_INSTALLED = ("site-packages", "dist-packages")
_MACHINERY = ("__", "_abc_")
# Made again from what they refer to, without which they are empty.
_CACHES = (weakref.WeakKeyDictionary, weakref.WeakValueDictionary, weakref.WeakSet)
_FUNCTIONS = (types.FunctionType, functools._lru_cache_wrapper)
# Of static and class methods, properties, cached ones.
_PARTS = ("__func__", "fget", "fset", "func")
# Among the defaults of a function, which all calls share.
_CHANGING = (list, dict, set, collections.deque, np.ndarray, np.random.Generator, random.Random)
_CODE = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type)


def is_library(module: str) -> bool:
    """Whether a module of that name is none of the program's."""
    return module.partition(".")[0] in _LIBRARIES


class NamedData:
    """Collects it, going from functions and classes to those that they name in turn.

    Attributes:
        found: By the name of a module, class, function or closure: it (a module as the dict of its globals), and
            names of its data.
        attributes: Names of all attributes of which the code speaks.
    """

    def __init__(self) -> None:
        self.found: dict[str, tuple[Any, set[str]]] = {}
        self._seen: dict[int, Any] = {}
        self._met: dict[int, Any] = {}
        self._ahead: list[Any] = []
        self._held: list[types.ModuleType] = []
        self._code: list[tuple[str, Any, str]] = []
        self._stored = set[str]()
        self.attributes = set[str]()

    def follow(self, code: Iterable[Any]) -> None:
        """Look through such functions, classes and modules that somebody holds."""
        for x in code:
            self._add(x)
        while self._ahead:
            while self._ahead:
                x = self._ahead.pop()
                if isinstance(x, type):
                    self._look_at_class(x)
                else:
                    self._look_at_function(x)
            for module in self._held:  # any code may mean it
                self._meet_module(module, self.attributes, "")
        for key, owner, name in self._code:
            if name in self._stored:  # `REWARD = dense`: another one may come into its place
                self._note(key, owner, name)

    def _add(self, x: Any) -> None:
        if id(x) not in self._seen:
            self._seen[id(x)] = x
            (self._held if isinstance(x, types.ModuleType) else self._ahead).append(x)

    def _look_at_class(self, kind: type) -> None:
        own = [base for base in kind.__mro__ if not is_library(base.__module__)]
        for base in own:
            for name, value in list(vars(base).items()):
                parts = [value, *(getattr(value, part, None) for part in _PARTS)]
                if functions := [part for part in parts if isinstance(part, _FUNCTIONS)]:
                    if isinstance(value, types.FunctionType):
                        self._code.append((f"{base.__module__}:{base.__qualname__}", base, name))
                    for function in functions:
                        self._meet_function(
                            function, f"{base.__module__}:{base.__qualname__}.{name}"
                        )
                elif isinstance(value, type) and not name.startswith(_MACHINERY):
                    if _goes_with(value.__module__, base.__module__):
                        self._add(value)
                elif isinstance(value, types.ModuleType):
                    self._add(value)
                elif _is_data(name, value):
                    for owner in own:  # who has it from another may get one of his own
                        self._note(f"{owner.__module__}:{owner.__qualname__}", owner, name)

    def _look_at_function(self, function: types.FunctionType) -> None:
        own = function.__globals__
        module = str(own.get("__name__", function.__module__))
        if is_library(module):
            return
        for name in ("__defaults__", "__kwdefaults__"):
            given: Any = getattr(function, name) or ()
            values = given.values() if isinstance(given, dict) else given
            if any(isinstance(value, _CHANGING) for value in values):
                self._note(f"{module}:{function.__qualname__}", function, name)
        names, attributes, stored, imported = _names_of(function.__code__)
        self.attributes |= attributes
        self._stored |= stored
        for name in sorted(imported & sys.modules.keys()):
            self._meet_module(sys.modules[name], attributes, module)
        for name in sorted(names):  # in one order: what is met twice goes by the first name
            value = own.get(name)
            if isinstance(value, types.ModuleType):
                self._meet_module(value, attributes, module)
            elif name in own or name not in vars(builtins):
                self._meet(own, module, name, module)

    def _meet_module(self, module: types.ModuleType, attributes: set[str], whose: str) -> None:
        """What has one of these names in it, or in modules that have one in it."""
        reached = [module]
        for each in reached:
            if not _goes_with(each.__name__, whose):
                continue
            own = vars(each)
            for name in sorted(attributes & own.keys()):
                if not isinstance(value := own[name], types.ModuleType):
                    self._meet(own, each.__name__, name, whose or each.__name__)
                elif value not in reached:
                    reached.append(value)

    def _meet(self, owner: dict[str, Any], module: str, name: str, whose: str) -> None:
        value = owner.get(name)
        if isinstance(value, (type, *_FUNCTIONS)):
            if not _goes_with(value.__module__, whose):
                return
            self._code.append((module, owner, name))
            if isinstance(value, type):
                self._add(value)
            else:
                self._meet_function(value, f"{module}:{name}")
        elif _is_data(name, value):
            self._note(module, owner, name)

    def _meet_function(self, function: Any, key: str) -> None:
        """One that is found by a name: its attributes, and what a decorator has closed over."""
        while isinstance(function, functools._lru_cache_wrapper):
            function = function.__wrapped__
        if not isinstance(function, types.FunctionType) or id(function) in self._met:
            return
        self._met[id(function)] = function
        self._add(function)
        by_library = is_library(str(function.__globals__.get("__name__")))
        for name, value in vars(function).items():
            if _is_data(name, value):
                self._note(key, function, name)
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for name, cell in cells:
            content, within = content_of(cell), f"{key}.<{name}>"
            if isinstance(content, _FUNCTIONS):
                self._meet_function(content, within)
            elif content is not NOTHING and not by_library and _is_data(name, content):
                self._note(within, cell, "cell_contents")

    def _note(self, key: str, owner: Any, name: str) -> None:
        self.found.setdefault(key, (owner, set()))[1].add(name)


def is_own_code(kind: type, known: tuple[type, ...]) -> bool:
    """Whether a class is of the program, or of an installed package that brings its `known` parts."""
    if is_library(kind.__module__):
        return False
    return not is_installed(kind.__module__) or issubclass(kind, known)


@cache
def set_by_libraries(kind: Any) -> frozenset[str]:
    """Attributes of such an object that a library's code sets."""
    names = set[str]()
    for base in kind.__mro__:
        if is_library(base.__module__):
            for function in vars(base).values():
                if isinstance(function, types.FunctionType):
                    steps = dis.get_instructions(function)
                    names |= {step.argval for step in steps if step.opname == "STORE_ATTR"}
    return frozenset(names)


def _goes_with(module: str, whose: str) -> bool:
    """Whether the code of one module is followed into another."""
    if is_library(module):
        return False
    return not is_installed(module) or module.partition(".")[0] == whose.partition(".")[0]


@cache
def is_installed(module: str) -> bool:
    """Whether a module of that name is of an installed package."""
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return any(folder in file for folder in _INSTALLED)


def _is_data(name: str, value: Any) -> bool:
    """Whether it is neither code nor a descriptor, as slots and cached properties are, nor a cache."""
    code = isinstance(value, (*_CODE, *_CACHES)) or hasattr(type(value), "__get__")
    return not code and not name.startswith(_MACHINERY)


def _names_of(code: types.CodeType) -> tuple[set[str], ...]:
    """Globals that a code names, attributes, which of both it sets, and modules that it imports; with inner functions."""
    names, attributes, stored, imported = set[str](), set[str](), set[str](), set[str]()
    for step in dis.get_instructions(code):
        if step.opname in ("STORE_GLOBAL", "STORE_ATTR"):
            stored.add(step.argval)
        if step.opname.endswith("_GLOBAL"):
            names.add(step.argval)
        elif step.opname.endswith(("_ATTR", "_METHOD")) or step.opname == "IMPORT_FROM":
            attributes.add(step.argval)
        elif step.opname == "IMPORT_NAME":
            imported.add(step.argval)
    found = (names, attributes, stored, imported)
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            for mine, inner in zip(found, _names_of(part), strict=True):
                mine |= inner
    return found
