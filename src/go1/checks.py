"""Is a setting what it must be? A ValueError says in one sentence which is not, and what would do."""

from __future__ import annotations

import math


def check_choice(name: str, value: object, allowed: tuple[object, ...]) -> None:
    """Refuse a value outside `allowed`; the sentence lists them."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}")


def check_rand_power(value: float) -> None:
    check_number("rand_power", value, at_least=0.0, at_most=1.0)


def check_number(
    name: str,
    value: object,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    at_most: float = math.inf,
) -> None:
    """Refuse what is no finite number within these bounds."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and math.isfinite(value) and above < value and at_least <= value <= at_most:  # type: ignore[arg-type, operator]
        return
    if at_most < math.inf:
        wanted = f"a number from {at_least:g} to {at_most:g}"
    elif above > -math.inf:
        wanted = f"a number above {above:g}"
    elif at_least > -math.inf:
        wanted = f"a number of at least {at_least:g}"
    else:
        wanted = "a finite number"
    raise ValueError(f"{name} must be {wanted}; got {value!r}")


def check_whole(name: str, value: object, *, at_least: int = 1) -> None:
    """Refuse what is no whole number, or too small a one."""
    if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
        raise ValueError(f"{name} must be a whole number of at least {at_least}; got {value!r}")


def check_range(name: str, value: object) -> None:
    """Refuse what is no tuple of two numbers in order."""
    if (
        isinstance(value, tuple)
        and len(value) == 2
        and all(isinstance(v, (int, float)) and math.isfinite(v) for v in value)
        and value[0] <= value[1]
    ):
        return
    raise ValueError(f"{name} must be two numbers, the lower one first; got {value!r}")
