"""Trackway: a flight recorder for robot reinforcement learning."""

from typing import TYPE_CHECKING

from trackway.lazy import names_of

__version__ = "0.1.0"

__all__ = ["Field", "Recorder", "Schema", "__version__", "open", "read", "read_records"]

if TYPE_CHECKING:
    from trackway.format.schema import Field, Schema
    from trackway.query.runs import open
    from trackway.recorder.recorder import Recorder
    from trackway.storage.reader import read, read_records
else:
    __getattr__ = names_of(
        __name__,
        {
            "Field": "format.schema",
            "Recorder": "recorder.recorder",
            "Schema": "format.schema",
            "open": "query.runs",
            "read": "storage.reader",
            "read_records": "storage.reader",
        },
    )

    def __dir__() -> list[str]:
        return __all__
