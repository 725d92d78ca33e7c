"""JSON that every parser reads: any Python value becomes plain values, and NaN becomes `null`.

Two steps, because they happen in two processes: `jsonable` takes a value out of the training
program (arrays, schedules, spaces, modules), `strict_json` writes it down.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import orjson

_PLAIN = frozenset({bool, int, float, str, type(None)})
_MAX_DEPTH = 24
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def jsonable(value: Any, depth: int = 0) -> Any:
    """The value in dicts, lists, strings, numbers, booleans and None; floats may still be NaN.

    What has no such form (a module, a function, a space) is described in words.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if depth > _MAX_DEPTH:
        return described(value)
    if kind is list and _PLAIN.issuperset(map(type, value)):
        return value.copy()  # the usual cases first: this runs on the training thread
    if kind is dict:
        return _plain_dict(value, depth)
    if isinstance(value, Enum):
        return jsonable(value.value, depth + 1)
    if isinstance(value, np.generic | np.ndarray):
        plain = value.tolist()
        return plain if value.dtype.kind in "biuf" else jsonable(plain, depth + 1)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return jsonable(value._asdict(), depth + 1)
    if isinstance(value, Mapping):
        return _plain_dict(value, depth)
    if isinstance(value, list | tuple | AbstractSet) or type(value).__name__ == "deque":
        return [jsonable(item, depth + 1) for item in value]
    if isinstance(value, bool | int | float | str):  # subclasses: their value is what counts
        base = next(kind for kind in (bool, int, float, str) if isinstance(value, kind))
        return base(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: jsonable(getattr(value, f.name), depth + 1) for f in fields(value)}
    if callable(getattr(value, "detach", None)) and callable(getattr(value, "tolist", None)):
        return jsonable(value.detach().cpu().tolist(), depth + 1)  # a tensor
    return described(value)


def _plain_dict(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    return {
        key if type(key) is str else str(jsonable(key, _MAX_DEPTH)): (
            item if type(item) in _PLAIN else jsonable(item, depth + 1)
        )
        for key, item in value.items()
    }


def described(value: Any) -> str:
    """A sentence's worth about an object that has no value of its own; the same in every process."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    if isinstance(value, ModuleType):
        return value.__name__
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    try:
        return _ADDRESS.sub("", repr(value))
    except Exception:  # noqa: BLE001 - a repr is somebody else's code; the record goes on
        return type(value).__qualname__


def strict_json(value: Any) -> bytes:
    """A value from `jsonable` as the bytes of a JSON file."""
    return json_bytes(strict(value))


def strict(value: Any) -> Any:
    """The value with `null` for every NaN and infinity, each named under `nonfinite` beside it."""
    return _strict(value)[0]


def json_bytes(value: Any) -> bytes:
    """A `strict` value in UTF-8, with two spaces of indent."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2)


def missing(record: Mapping[str, Any]) -> dict[str, list[str]]:
    """`{"missing": names}` of what is null in a record, or nothing where all is known."""
    names = [name for name, value in record.items() if value is None]
    return {"missing": names} if names else {}


def _strict(value: Any) -> tuple[Any, bool]:
    """The value without NaN, and whether it had none."""
    kind = type(value)
    if kind is float:
        return (value, True) if math.isfinite(value) else (None, False)
    if kind is dict:
        clean: dict[str, Any] = {}
        nonfinite = []
        for key, item in value.items():
            clean[_text(key)], finite = _strict(item)
            if not finite:
                nonfinite.append(_text(key))
        if nonfinite:
            clean["nonfinite"] = nonfinite
        return clean, True
    if kind is list:
        pairs = [_strict(item) for item in value]
        return [item for item, _ in pairs], all(finite for _, finite in pairs)
    if kind is str:
        return _text(value), True
    if kind is int and not -(2**63) <= value < 2**64:
        return str(value), True  # beyond what JSON parsers agree on
    return value, True


def _text(value: str) -> str:
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
