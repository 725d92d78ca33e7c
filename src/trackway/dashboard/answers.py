"""Answers of the API, and what may be asked of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from trackway.errors import DashboardError

NO_STORE: Final = {"cache-control": "no-store"}
MAX_POINTS: Final = 4096


class Answer(Response):
    """JSON; numpy values and arrays are welcome, NaN becomes null."""

    media_type = "application/json"

    def __init__(
        self, content: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(content, status, {**NO_STORE, **(headers or {})})

    def render(self, content: object) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def problem(
    status: int, says: str, headers: Mapping[str, str] | None = None, code: str | None = None
) -> Answer:
    """What went wrong: a sentence in English, and a word where the page says it in both languages."""
    return Answer({"error": says} | ({"code": code} if code else {}), status, headers)


def number(
    request: Request,
    name: str,
    fallback: float | None = None,
    low: float = -math.inf,
    high: float = math.inf,
) -> float | None:
    """A number that was asked with.

    Raises:
        DashboardError: It is none, or out of range.
    """
    text = request.query_params.get(name)
    return fallback if text is None else _number(name, text, low, high)


def whole(request: Request, name: str, fallback: int, low: int, high: int) -> int:
    """A whole number that was asked with.

    Raises:
        DashboardError: It is none, or out of range.
    """
    value = number(request, name, fallback, low, high)
    assert value is not None
    return int(value)


def wholes(request: Request, name: str, fallback: int, low: int, high: int, size: int) -> list[int]:
    """So many whole numbers, separated by commas; one stands for all.

    Raises:
        DashboardError: One is none, or out of range, or there are more or fewer.
    """
    texts = request.query_params.get(name, str(fallback)).split(",")
    found = [int(_number(name, text, low, high)) for text in texts]
    if len(found) not in (1, size):
        raise DashboardError(f"{name} holds {len(found)} numbers; give one, or {size}")
    return found if len(found) == size else found * size


def _number(name: str, text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise DashboardError(f"{name}={text[:40]!r} is not a number from {low:g} to {high:g}")
    return value


def names(request: Request, name: str, limit: int = 200) -> list[str]:
    """Names that were asked with, separated by commas.

    Raises:
        DashboardError: There are too many.
    """
    found = [part for part in request.query_params.get(name, "").split(",") if part]
    if len(found) > limit:
        raise DashboardError(f"{name} names {len(found)} things; ask for up to {limit} at once")
    return list(dict.fromkeys(found))
