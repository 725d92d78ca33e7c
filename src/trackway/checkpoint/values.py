"""Values of the standard library whose state lies in C, told by what makes an equal one; and made again."""

from __future__ import annotations

import array
import datetime as dt
import decimal
import fractions
import re
import zoneinfo
from collections.abc import Callable
from typing import Any

from trackway.checkpoint.graph import (
    NOTHING,
    Capturing,
    DoesNotFitError,
    Node,
    OpaqueError,
    Path,
    Rebuilding,
)

_Told = Callable[[Any], tuple[Any, ...]]


def _moment(x: dt.datetime) -> tuple[Any, ...]:
    return (x.year, x.month, x.day, x.hour, x.minute, x.second, x.microsecond, x.tzinfo, x.fold)


def _moment_of(*told: Any) -> dt.datetime:
    return dt.datetime(*told[:8], fold=told[8])  # noqa: DTZ001 - it had none, if so


def _time_of_day(x: dt.time) -> tuple[Any, ...]:
    return (x.hour, x.minute, x.second, x.microsecond, x.tzinfo, x.fold)


def _time_of_day_of(*told: Any) -> dt.time:
    return dt.time(*told[:5], fold=told[5])


def _packed(typecode: str, content: bytes) -> array.array[Any]:
    made: array.array[Any] = array.array(typecode)
    made.frombytes(content)
    return made


# Of each class what tells a value, and what makes one of it; a file names no other.
_VALUES: dict[type, tuple[_Told, Callable[..., Any]]] = {
    complex: (lambda x: (x.real, x.imag), complex),
    dt.date: (lambda x: (x.year, x.month, x.day), dt.date),
    dt.datetime: (_moment, _moment_of),
    dt.time: (_time_of_day, _time_of_day_of),
    dt.timedelta: (lambda x: (x.days, x.seconds, x.microseconds), dt.timedelta),
    dt.timezone: (lambda x: x.__getinitargs__(), dt.timezone),
    zoneinfo.ZoneInfo: (lambda x: (x.key,), zoneinfo.ZoneInfo),
    decimal.Decimal: (lambda x: (str(x),), decimal.Decimal),
    fractions.Fraction: (lambda x: (x.numerator, x.denominator), fractions.Fraction),
    re.Pattern: (lambda x: (x.pattern, x.flags), re.compile),
    array.array: (lambda x: (x.typecode, x.tobytes()), _packed),
}
KINDS = tuple(_VALUES)
_NAMED = {kind.__name__: kind for kind in KINDS}


def take_value(capture: Capturing, x: Any, path: Path) -> Node:
    told = _VALUES[type(x)][0](x)
    if told == (None,):
        raise OpaqueError(path, "is a time zone without a name", type(x))
    return {"k": "value", "t": type(x).__name__, "v": [capture.value(v, path) for v in told]}


def make_value(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    if (kind := _NAMED.get(node["t"])) is None:
        raise DoesNotFitError(f"{path} is a {node['t']}, which this Trackway does not know")
    told = [rebuild.value(v, NOTHING, path) for v in node["v"]]
    try:
        return _VALUES[kind][1](*told)
    except (ArithmeticError, KeyError, TypeError, ValueError, re.error) as error:
        raise DoesNotFitError(f"{path} was a {node['t']}: {error}") from error
