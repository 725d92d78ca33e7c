"""Code by its name; methods and partials: taken apart, and put back."""

from __future__ import annotations

import functools
import sys
import types
from typing import Any

import numpy as np

from trackway.checkpoint.graph import (
    NOTHING,
    Capturing,
    DoesNotFitError,
    Node,
    OpaqueError,
    Path,
    Rebuilding,
)

CODE = (
    type,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.ModuleType,
    types.WrapperDescriptorType,
    functools._lru_cache_wrapper,
    np.ufunc,
)


# What an object's class has for its methods; NumPy's generators have some of Cython's.
_METHODS = (types.FunctionType, types.MethodDescriptorType, type(np.random.Generator.normal))


def code_name(x: Any, path: Path) -> str:
    """`module:qualname` of a class or function; of a module its name."""
    if isinstance(x, types.ModuleType):
        return x.__name__
    module = getattr(x, "__module__", None) or "builtins"
    name = getattr(x, "__qualname__", None) or getattr(x, "__name__", None)
    if name is None:
        raise OpaqueError(path, f"is a {type(x).__name__} without a name")
    return f"{module}:{name}"


def found(name: str, fresh: Any, path: str) -> Any:
    """A class, function or module that this program has imported; `fresh` first, if it is it."""
    module_name, _, qualname = name.partition(":")
    here = (getattr(fresh, "__module__", None), getattr(fresh, "__qualname__", None))
    if qualname and here in ((module_name, qualname), (None, qualname)):
        return fresh
    code: Any = sys.modules.get(module_name, NOTHING)
    for part in qualname.split(".") if qualname else ():
        code = NOTHING if part == "<locals>" else getattr(code, part, NOTHING)
    if code is NOTHING and "<locals>" in name:
        code = _made_in_a_function(module_name, qualname)
    if code is NOTHING:
        raise DoesNotFitError(f"{path} needs {name}, which this program does not have")
    return code


def _made_in_a_function(module: str, qualname: str) -> Any:
    """The only class of that name that lives; nothing where there are several, as each call makes one."""
    ahead: list[type] = [object]
    alike = set[type]()
    for kind in ahead:
        ahead += type.__subclasses__(kind)
        if (kind.__module__, kind.__qualname__) == (module, qualname):
            alike.add(kind)
    return alike.pop() if len(alike) == 1 else NOTHING


def is_bound(x: types.BuiltinFunctionType) -> bool:
    """Whether it is a method of an object, written in C; not a function of a module."""
    return not isinstance(x.__self__, types.ModuleType | None)


def take_method(capture: Capturing, x: Any, path: Path) -> Node:
    """A bound method: by its name where its class, or it if it is one, has it under that name."""
    owner, name = x.__self__, x.__name__
    node = {"k": "method", "of": capture.value(owner, path), "name": name}
    if isinstance(owner, type):
        known = getattr(owner, name, None) == x
    else:
        named = getattr(type(owner), name, None)
        known = named is x.__func__ if hasattr(x, "__func__") else isinstance(named, _METHODS)
    if known:
        return node
    if not isinstance(x, types.MethodType):
        raise OpaqueError(path, f"is {name} of an object written in C")
    return {**node, "f": capture.value(x.__func__, (path, ".__func__{}", ""))}


def make_method(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    owner = rebuild.value(node["of"], getattr(fresh, "__self__", NOTHING), path)
    name: str = node["name"]
    if "f" in node:
        function = rebuild.value(node["f"], getattr(fresh, "__func__", NOTHING), path)
        if callable(function):
            return types.MethodType(function, owner)
    elif isinstance(owner, type):
        method = getattr(owner, name, None)
        if getattr(method, "__self__", None) is owner:
            return method
    elif isinstance(function := getattr(type(owner), name, None), _METHODS):
        return function.__get__(owner)
    raise DoesNotFitError(f"{path} is a method {name!r} that there is not")


def take_partial(capture: Capturing, x: functools.partial[Any], path: Path) -> Node:
    parts = [capture.value(v, path) for v in (x.func, x.args, x.keywords)]
    return {"k": "partial", "v": parts}


def make_partial(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    old = (fresh.func, fresh.args, fresh.keywords) if isinstance(fresh, functools.partial) else ()
    function, arguments, keywords = rebuild.values(node["v"], old, path)
    return functools.partial(function, *arguments, **keywords)


def content_of(cell: Any) -> Any:
    """What a closure holds there; nothing if it does not hold it yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return NOTHING
