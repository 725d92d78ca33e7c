"""What the stream `system` tells of the machine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import psutil

from trackway.clock import Clock
from trackway.format.schema import Field, Schema
from trackway.probes.probe import Row
from trackway.probes.system import ProcessProbe

SYSTEM_SCHEMA = Schema(
    Field("unix_s", "float64", (), "s", "time since 1970"),
    Field("timestep", "int64", (), "1", "timesteps so far, over all environments"),
    Field("cpu_percent", "float64", (), "%", "processor use of the trainer; 200 is two cores"),
    Field("load", "float64", (), "1", "processes that want to run, mean of a minute"),
    Field("memory_bytes", "float64", (), "B", "resident memory of the trainer"),
    Field("memory_free_bytes", "float64", (), "B", "available memory of the machine"),
    Field("disk_free_bytes", "float64", (), "B", "left on the disk of the run"),
    Field("gpu_memory_bytes", "float64", (), "B", "taken on the GPU; NaN without one"),
)


class MachineProbe:
    """Reads everything of `SYSTEM_SCHEMA` but the timestep."""

    schema = SYSTEM_SCHEMA

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._process = ProcessProbe(clock)

    def read(self, row: Row) -> None:
        process = self._process.read()
        row["unix_s"][0] = self._clock.unix_s()
        row["cpu_percent"][0] = process["cpu_percent"]
        row["memory_bytes"][0] = process["memory_usage_mb"] * 2**20
        row["load"][0] = os.getloadavg()[0]
        row["memory_free_bytes"][0] = psutil.virtual_memory().available
        row["disk_free_bytes"][0] = shutil.disk_usage(self._folder).free
        row["gpu_memory_bytes"][0] = _gpu_memory_bytes()


def _gpu_memory_bytes() -> float:
    """Without importing torch: where nobody has, no GPU is in use."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return float("nan")
    return float(torch.cuda.memory_allocated())
