"""Nothing that only watches a training may stop it: mistakes are counted, and said once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")
_log = logging.getLogger("trackway")


class Guard:
    """Runs code that may fail, and remembers that it did.

    Attributes:
        errors: How often something failed.
    """

    def __init__(self) -> None:
        self.errors = 0
        self._said: set[str] = set()

    def run(self, what: str, action: Callable[[], Result], otherwise: Result) -> Result:
        """What the action returns, or `otherwise` where it raises.

        `what` ends the sentence "recording failed to …".
        """
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - anything can go wrong in other people's code
            self.failed(what, error)
            return otherwise

    def failed(self, what: str, error: Exception) -> None:
        """Count what was raised; for the step path, where a call for nothing is too much."""
        self.errors += 1
        text = "recording failed to %s: %s: %s; the training goes on without it"
        self.say(what, text, what, type(error).__name__, error, error=error)

    def say(self, key: str, text: str, *facts: Any, error: Exception | None = None) -> None:
        """Warn, unless it has been said before; of an error with its traceback."""
        if key not in self._said:
            self._said.add(key)
            _log.warning(text, *facts, exc_info=error)
