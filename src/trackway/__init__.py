"""Trackway: a flight recorder for robot reinforcement learning."""

from trackway.format.schema import Field, Schema
from trackway.query.runs import open
from trackway.recorder.recorder import Recorder
from trackway.storage.reader import read, read_records

__version__ = "0.1.0"

__all__ = ["Field", "Recorder", "Schema", "__version__", "open", "read", "read_records"]
