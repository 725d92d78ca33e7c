"""Libraries that only some need: imported when asked for, and named with their extra when missing."""

from __future__ import annotations

import importlib
from typing import Any

from trackway.errors import MissingExtraError


def need(module: str, what: str, extra: str) -> Any:
    """Import a module that an extra brings.

    Args:
        module: Its name.
        what: What needs it, as the beginning of a sentence.
        extra: The extra of Trackway that installs it.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(what, extra) from error
