"""Columns that an environment leaves to be derived in the writer process."""

from typing import Any

DERIVATION: dict[str, Any] = {
    "derive": f"{__name__}:derive",
    "path": [],
    "constants": {"b.c": [1, 2]},
    "settings": {"offset": 0.5},
}


def derive(arrays: Any, constants: Any, settings: Any, unix_s: Any) -> Any:
    return {"a.twice": 2 * arrays["x"] + settings["offset"], "a.when": unix_s}
