"""A trainer to be killed: records as fast as it can, and says what it has committed.

python recording_trainer.py RUN ACKNOWLEDGED [SECONDS]
"""

import mmap
import sys
import time
from pathlib import Path

import numpy as np

from trackway import Field, Recorder, Schema

NUM_ENVS = 3
SCHEMA = Schema(
    Field("state", "float64", (9,), unit="1", description="tells row, environment and place"),
    Field("row", "int64", unit="1", description="the row's number"),
)


def state(row: int) -> np.ndarray:
    return row * 100 + np.arange(NUM_ENVS)[:, None] * 10 + np.arange(9.0)


def main(run: Path, acknowledged: Path, duration_s: float) -> None:
    acknowledged.write_bytes(bytes(16))
    with acknowledged.open("r+b") as file:
        told = memoryview(mmap.mmap(file.fileno(), 16)).cast("q")
    # Small ring and segments: waiting, wrapping and sealing all the time.
    with Recorder(
        run, ring_bytes=60_000, segment_bytes=100_000, sync_s=0.02, compact=False
    ) as recorder:
        stream = recorder.stream("steps", SCHEMA, NUM_ENVS)
        events = recorder.records("events")
        end_s, row = time.monotonic() + duration_s, 0
        while time.monotonic() < end_s:
            stream.row["state"][...] = state(row)
            stream.row["row"][...] = row
            stream.commit()
            row += 1
            told[0] = row  # the file stays when this process is killed
            if row % 100 == 0:
                events.append({"row": row, "text": "x" * (row % 700)})
                told[1] = row // 100


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]) if sys.argv[3:] else 60.0)
