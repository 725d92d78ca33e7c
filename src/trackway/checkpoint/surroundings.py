"""What a program gives to its training, and what is state only where the training changes it.

    model.ent_coef = 0.01   ── a callback: model.ent_coef = 0.0 ──▶   of the checkpoint
    model.gamma = 0.99      ── nobody ───────────────────────────▶   the program's, which may give another

Settings, schedules, globals, attributes of classes and of networks. They are looked at before a training
begins or goes on; what differs from then is taken, and so is what it has in common with what is taken
anyway. The rest is left as the program has it.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np

from trackway.checkpoint.capture import Capture
from trackway.checkpoint.functions import CODE
from trackway.checkpoint.glance import PLAIN, Contents, Place, Reader, Readings, inside
from trackway.checkpoint.graph import GONE, NOTHING, Node, OpaqueError
from trackway.checkpoint.layout import has_plain_layout, slots_of
from trackway.checkpoint.rebuild import Rebuild
from trackway.checkpoint.torch_objects import is_tensor

_ROOT = "given "
# Such an array is data that a training reads; to compare it would stop the training.
_LARGEST_BYTES = 1 << 20


class _TooLargeError(Exception):
    pass


class _Careful(Capture):
    """Takes things apart to compare them in this process; nothing that is large."""

    def value(self, x: Any, path: Any) -> Any:
        if isinstance(x, set | frozenset) and PLAIN.issuperset(map(type, x)):
            return {"s": type(x).__name__, "v": sorted(map(repr, x))}
        size = x.nbytes if isinstance(x, np.ndarray) or is_tensor(x) else 0
        if size > _LARGEST_BYTES:
            raise _TooLargeError
        return super().value(x, path)


@dataclass
class _Was:
    """How something was when it was looked at.

    Attributes:
        value: It.
        external: It is taken elsewhere.
        fixed: It cannot change by itself, or nobody looks whether it does.
        opaque: It could not be taken.
        told: It taken apart, to be compared.
        contents: Of what it is made of, if that can be seen at a glance.
        code: Of the functions in it.
        names: Functions and classes in it that may name data in turn, and modules.
    """

    value: Any
    external: bool = False
    fixed: bool = False
    opaque: bool = False
    told: Any = None
    contents: Contents | None = None
    code: set[types.CodeType] = field(default_factory=set)
    names: list[Any] = field(default_factory=list)


class Surroundings:
    """Looks at places, and later takes what has changed in them.

    Args:
        externals, boundaries: As of `Capture`.
    """

    def __init__(
        self, externals: Mapping[str, object] | None = None, boundaries: tuple[type, ...] = ()
    ) -> None:
        self._externals, self._boundaries = dict(externals or {}), boundaries
        self._owners: dict[str, Any] = {}
        self._was: dict[Place, _Was] = {}
        self._fixed, self._others = Readings(), list[Place]()
        self._growing: dict[str, set[str]] = {}

    def look(self, key: str, owner: Any, names: Iterable[str]) -> list[Any]:
        """Note how attributes of an object or class, or entries of a dict, are now.

        Returns:
            Functions, classes and modules in them, for `NamedData` to follow.
        """
        self._owners.setdefault(key, owner)
        read, found = _reader(owner), list[Any]()
        for place in ((key, name) for name in sorted(names)):
            if place in self._was:
                continue
            value = read(place[1], NOTHING)
            was = self._was[place] = self._looked_at(value, ".".join(place))
            if was.fixed:
                self._fixed.add(place, read, value)
            else:
                self._others.append(place)
            found += was.names
        return found

    def expect_more(self, key: str, owner: Any) -> None:
        """Look at what the object will have been given by then, too."""
        self._growing[key] = set(vars(owner))

    def take(self, taker: Capture) -> None:
        """Add what has changed; what has and cannot be taken, or found again, is named."""
        for key, had in self._growing.items():
            if len(now := vars(self._owners[key])) != len(had):
                new = [(key, name) for name in sorted(now.keys() - had)]
                self._was |= dict.fromkeys(new, _Was(NOTHING))
                self._others += new
                had |= now.keys()
        for key, name in (*self._fixed.exchanged(), *self._others):
            was, value = self._was[key, name], _reader(self._owners[key])(name, NOTHING)
            if value is NOTHING and was.value is not NOTHING:
                taker.graph.roots[f"{_ROOT}{key}|{name}"] = dict(GONE)
            if value is NOTHING or _is_same(value, was) or _is_untouched(value, was, taker):
                continue
            path, mark = f"{key}.{name}", taker.mark()
            theirs = was.external and not isinstance(self._owners[key], dict)
            if theirs and type(value) not in PLAIN and not taker.knows(value):
                taker.graph.unsupported.append(f"{path} is now another one than the program gives")
                continue
            taken, reference = taker.attempt(value, path)
            if not taken:
                compiled = was.opaque and value is was.value and _is_compiled(value)
                if compiled or (was.told and self._looked_at(value, path).told == was.told):
                    taker.graph.unsupported.pop()
                continue
            unknown = _code_in(taker.originals[mark.nodes :]) - was.code
            if any("<" in code.co_qualname for code in unknown):
                taker.rollback(mark)
                taker.graph.unsupported.append(
                    f"{path} is now a function that a program started anew does not find by its name"
                )
            elif reference == {"r": mark.nodes} and taker.told_since(mark) == was.told:
                taker.rollback(mark)
            else:
                taker.graph.roots[f"{_ROOT}{key}|{name}"] = reference

    def put(self, rebuild: Rebuild) -> None:
        """Let what was taken be written back; where the program's code names it no more, nobody needs it."""
        for root in sorted(rebuild.roots):
            key, _, name = root.removeprefix(_ROOT).partition("|")
            if is_given(root) and key in self._owners:
                owner = self._owners[key]
                value = rebuild.root(root, _reader(owner)(name, NOTHING))
                rebuild.writes.append(partial(_write, owner, name, value))

    def _looked_at(self, value: Any, path: str) -> _Was:
        if any(value is thing for thing in self._externals.values()):
            return _Was(value, external=True, fixed=True)
        if type(value) in PLAIN or value is NOTHING:
            return _Was(value, fixed=True)
        taker = _Careful(self._externals, self._boundaries)
        mark = taker.mark()
        try:
            reference = taker.value(value, path)
        except _TooLargeError:
            return _Was(value, fixed=True, names=code_of(taker))
        except (OpaqueError, RecursionError):
            return _Was(value, opaque=True, names=code_of(taker))
        code = _code_in(taker.originals)
        alone = not taker.originals
        fixed = isinstance(value, CODE) or (alone and not isinstance(value, set)) or _is_bare(value)
        told = reference if alone else taker.told_since(mark)
        nodes, originals = taker.graph.nodes, taker.originals
        plain = all(map(_has_nothing_else, nodes, originals, repeat({*map(id, originals)})))
        contents = Contents(originals) if plain and originals else None
        return _Was(value, False, fixed, False, told, contents, code, code_of(taker))


def code_of(taker: Capture) -> list[Any]:
    """Functions and classes of what was taken in, and classes and modules that it holds."""
    found: list[Any] = [x for x in taker.code if isinstance(x, type | types.ModuleType)]
    for x, node in zip(taker.originals, taker.graph.nodes, strict=True):
        if isinstance(x, types.FunctionType):
            found.append(x)
        # Who tells his own state, or is not looked into, is taken at his word.
        elif node is not None and node["k"] in ("object", "inherited"):
            found.append(type(x))
    return list({id(x): x for x in found}.values())


def is_given(root: str) -> bool:
    """Whether a root of that name holds something of this kind."""
    return root.startswith(_ROOT)


def _is_same(value: Any, was: _Was) -> bool:
    """Whether a plain value is another object, but no other value."""
    if type(value) in PLAIN and type(value) is type(was.value):
        return repr(value) == repr(was.value)  # NaN is NaN, and -0.0 is not 0.0
    return False


def _is_compiled(value: Any) -> bool:
    """Whether it is called, and hidden itself; not a function of Python's that holds what is hidden."""
    kind: type = type(value)
    looked_into = isinstance(value, types.FunctionType | types.MethodType | partial)
    return callable(value) and not looked_into and not has_plain_layout(kind)


def _is_untouched(value: Any, was: _Was, taker: Capture) -> bool:
    """Whether it can be seen at a glance that it is what it was, and that nobody has taken it."""
    return (
        value is was.value
        and was.contents is not None
        and was.contents.are_the_same()
        and not any(map(taker.knows, was.contents.things))
    )


def _has_nothing_else(node: Node, x: Any, known: Collection[int]) -> bool:
    """Whether it is what `Contents` can hold."""
    kind: type = type(x)
    if kind is dict:
        if not all(type(name) is str for name in x):
            return False
    elif kind not in (list, tuple) and (node["k"] != "object" or slots_of(kind)):
        return False
    return all(type(v) in PLAIN or isinstance(v, CODE) or id(v) in known for v in inside(x)[1])


def _is_bare(x: Any) -> bool:
    """Whether it is a function that has nothing which may change."""
    return isinstance(x, types.FunctionType) and not (x.__closure__ or vars(x))


def _code_in(originals: Iterable[Any]) -> set[types.CodeType]:
    return {x.__code__ for x in originals if isinstance(x, types.FunctionType)}


def _reader(owner: Any) -> Reader:
    kind = type(owner)
    if kind is dict:
        return owner.get  # type: ignore[no-any-return]
    return vars(owner).get if issubclass(kind, type) else partial(getattr, owner)


def _write(owner: Any, name: str, value: Any) -> None:
    if value is NOTHING:
        with contextlib.suppress(KeyError, AttributeError):  # the program may not have it either
            (dict.__delitem__ if isinstance(owner, dict) else delattr)(owner, name)
    elif isinstance(owner, dict):
        owner[name] = value
    else:
        setattr(owner, name, value)
