"""Trackway: a flight recorder for robot reinforcement learning."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["Field", "Recorder", "Schema", "__version__", "open", "read", "read_records"]

if TYPE_CHECKING:
    from trackway.format.schema import Field, Schema
    from trackway.query.runs import open
    from trackway.recorder.recorder import Recorder
    from trackway.storage.reader import read, read_records
else:
    # Imported when asked for: each writer process would pay for what it never uses.
    _HOMES = {
        "Field": "trackway.format.schema",
        "Recorder": "trackway.recorder.recorder",
        "Schema": "trackway.format.schema",
        "open": "trackway.query.runs",
        "read": "trackway.storage.reader",
        "read_records": "trackway.storage.reader",
    }

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'trackway' has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)

    def __dir__() -> list[str]:
        return __all__
