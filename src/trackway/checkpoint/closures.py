"""Functions, with what they close over: taken apart, and put back.

    self.stages = deque([lambda model: …, lambda model: …])      two of one name: told apart by their code
    self.draw = lambda i=i: rows[i]                              made within a function: its own defaults and cells

A function of a module is the program's of that name. One that was made within another function is the one that the
program has built at that place, if it is of the same code, or is made anew of the code that lies in the other one.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import inspect
import operator
import types
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from trackway.checkpoint.functions import content_of, found
from trackway.checkpoint.graph import (
    NOTHING,
    Capturing,
    DoesNotFitError,
    Node,
    Path,
    Rebuilding,
)

_EMPTY = {"empty": True}
_DEFAULTS = ("__defaults__", "__kwdefaults__")


def take_function(capture: Capturing, x: types.FunctionType, path: Path) -> Node:
    own = capture.value(dict(vars(x)), path) if vars(x) else None
    node: Node = {"k": "function", "c": _name(x), "d": own}
    if "<" not in x.__qualname__:
        return node
    closure = []
    for name, cell in zip(x.__code__.co_freevars, x.__closure__ or (), strict=True):
        within = (path, ".<{}>", name)
        # Functions may share a cell: it is numbered, and its content told beside it.
        closure.append([capture.value(cell, within), _content(capture, cell, within)])
    told = {name: capture.value(getattr(x, name), path) for name in _DEFAULTS}
    return {**node, "code": _digest(x.__code__), "closure": closure, **told}


def take_cell(capture: Capturing, x: types.CellType, path: Path) -> Node:
    return {"k": "cell", "v": _content(capture, x, path)}


def _content(capture: Capturing, x: types.CellType, path: Path) -> Any:
    return _EMPTY if (content := content_of(x)) is NOTHING else capture.value(content, path)


def make_cell(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    made = rebuild.made[number] = _cell(rebuild, fresh)
    _fill(rebuild, made, node["v"], path)
    return made


def make_function(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    original, nested = rebuild.original(number), "code" in node
    pattern = _pattern(node, fresh, path) if original is None else original
    # Once all went by their names, and contents were told alone.
    closure = node["closure"] if nested else [[None, x] for x in node.get("cells", ())]
    if not (nested or closure or node["d"]):
        return pattern
    old = pattern.__closure__ or ()
    if len(old) != len(closure):
        raise DoesNotFitError(f"{path} was a {node['c']} that closed over something else")
    mine = original is None and (pattern is fresh or not nested)
    cells = [
        _numbered(rebuild, reference, cell if mine else NOTHING)
        for (reference, _), cell in zip(closure, old, strict=True)
    ]
    if nested:
        mine = mine and id(fresh) not in rebuild.claimed and all(map(operator.is_, cells, old))
    function = pattern if mine else _copy(pattern, cells)
    rebuild.claimed[id(function)] = rebuild.made[number] = function
    for cell, (_, content) in zip(cells, closure, strict=True):
        _fill(rebuild, cell, content, path)
    own = rebuild.value(node["d"], NOTHING, path) or {}
    rebuild.writes.append(functools.partial(vars(function).update, own))
    if nested:
        for name in _DEFAULTS:
            value = rebuild.value(node[name], NOTHING, path)
            rebuild.writes.append(functools.partial(setattr, function, name, value))
    return function


def _copy(pattern: Any, cells: Sequence[types.CellType]) -> types.FunctionType:
    code, name = pattern.__code__, pattern.__name__
    made = types.FunctionType(code, pattern.__globals__, name, pattern.__defaults__, tuple(cells))
    made.__kwdefaults__ = pattern.__kwdefaults__
    made.__qualname__, made.__module__ = pattern.__qualname__, pattern.__module__
    return made


def _numbered(rebuild: Rebuilding, reference: Any, old: Any) -> types.CellType:
    if reference is None:
        return types.CellType() if old is NOTHING else old
    if reference["r"] not in rebuild.made:
        rebuild.made[reference["r"]] = _cell(rebuild, old)
    cell: types.CellType = rebuild.made[reference["r"]]
    return cell


def _cell(rebuild: Rebuilding, old: Any) -> types.CellType:
    """The program's, if nobody else's state is written into it."""
    if not isinstance(old, types.CellType) or id(old) in rebuild.claimed:
        return types.CellType()
    rebuild.claimed[id(old)] = old
    return old


def _fill(rebuild: Rebuilding, cell: types.CellType, content: Any, path: str) -> None:
    if content != _EMPTY:
        value = rebuild.value(content, content_of(cell), path)
        rebuild.writes.append(functools.partial(setattr, cell, "cell_contents", value))


def _pattern(node: Node, fresh: Any, path: str) -> Any:
    """A function of that name and code: the program's at this place, another one that lives, or one made of what lies in it."""

    def fits(x: Any) -> bool:
        alike = type(x) is types.FunctionType and _name(x) == node["c"]
        return alike and ("code" not in node or _digest(x.__code__) == node["code"])

    if fits(fresh):
        return fresh
    if "code" in node:
        live = next(filter(fits, gc.get_objects()), None)
        if live is not None or (live := next(filter(fits, _within(node["c"])), None)) is not None:
            return live
        if type(fresh) is types.FunctionType and _name(fresh) == node["c"]:
            return fresh  # the program has changed, which is told elsewhere
    function = found(node["c"], fresh, path)
    if type(function) is not types.FunctionType:
        raise DoesNotFitError(f"{path} was a function {node['c']}, which is none any more")
    return function


def _within(name: str) -> Iterator[types.FunctionType]:
    """Functions that the code of another one would make under this name."""
    module, _, qualname = name.partition(":")
    outer_name, *inner = qualname.split(".<locals>.")
    try:
        outer = inspect.unwrap(found(f"{module}:{outer_name}", NOTHING, ""))
    except DoesNotFitError:
        return
    if not isinstance(outer, types.FunctionType):
        return
    for code in _codes(outer.__code__, ".".join(inner).split(".")):
        cells = tuple(types.CellType() for _ in code.co_freevars)
        made = types.FunctionType(code, outer.__globals__, code.co_name, None, cells)
        made.__qualname__ = qualname
        yield made


def _codes(code: types.CodeType, names: Sequence[str]) -> Iterator[types.CodeType]:
    if not names:
        yield code
        return
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType) and inner.co_name == names[0]:
            yield from _codes(inner, names[1:])


def _name(x: types.FunctionType) -> str:
    return f"{x.__module__}:{x.__qualname__}"


@lru_cache(1 << 12)
def _digest(code: types.CodeType) -> str:
    """Of what a code does, wherever it stands."""
    return hashlib.sha256(repr(_told(code)).encode()).hexdigest()[:16]


def _told(x: Any) -> Any:
    if isinstance(x, types.CodeType):
        names = (x.co_names, x.co_varnames, x.co_freevars, x.co_cellvars)
        return (x.co_code, x.co_flags, names, [_told(const) for const in x.co_consts])
    if isinstance(x, frozenset):
        return sorted(map(repr, x))
    return repr(x)
