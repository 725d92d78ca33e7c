"""How long `trackway diff` takes on runs of 10^7 environment steps, beside reading their bytes.

    python benchmarks/diff_runs.py [--rows 10_000_000] [--folder /somewhere/with/room]

Three runs of 12 environments and 421 B a step are recorded: one; the same but for one number near
its end; and the same, interrupted in the middle and resumed, so that from there on its segments are
cut elsewhere and every value has to be read. Reading the bytes of both, and nothing else, is the floor.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from pathlib import Path

import numpy as np

from trackway import Field, Recorder, Schema
from trackway.cli.main import main as command
from trackway.storage.places import find_stream

NUM_ENVS = 12
SCHEMA = Schema(
    Field("action", "float32", (12,)),
    Field("state", "float64", (38,)),
    Field("obs", "float32", (17,)),
    Field("terminated", "bool"),
)


def attempt(run: Path, rows: range, nudged: int | None = None) -> None:
    noise = np.random.default_rng(0).standard_normal((1000, NUM_ENVS, 38))
    with Recorder(run) as recorder:
        recorder.records("events").append({"event": "begin", "timestep": rows.start * NUM_ENVS})
        stream = recorder.stream("steps", SCHEMA, NUM_ENVS)
        for row in rows:
            state = noise[row % 1000]
            slot = stream.row
            slot["state"][...] = state
            slot["action"][...] = state[:, :12]
            slot["obs"][...] = state[:, :17]
            slot["state"][0, 0] = row
            if row == nudged:
                slot["state"][3, 7] += 1e-12
            stream.commit()


def seconds_of(*words: object) -> tuple[float, int, str]:
    said, began = io.StringIO(), time.perf_counter()
    with contextlib.redirect_stdout(said):
        status = command([str(word) for word in words])
    return time.perf_counter() - began, status, said.getvalue()


def segments(run: Path) -> list[Path]:
    return [segment.path for segment in find_stream(run, "steps").segments()]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=10_000_000)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    vector_steps = args.rows // NUM_ENVS
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        first, nudged, resumed, same = (
            folder / name for name in ("first", "nudged", "resumed", "same")
        )
        attempt(first, range(vector_steps))
        attempt(same, range(vector_steps))
        attempt(nudged, range(vector_steps), nudged=int(vector_steps * 0.97))
        attempt(resumed, range(vector_steps // 2 + 1000))
        attempt(resumed, range(vector_steps // 2, vector_steps))
        size = sum(path.stat().st_size for path in segments(first))
        began = time.perf_counter()
        for path in (*segments(first), *segments(same)):
            with path.open("rb") as file:
                while file.read(1 << 20):
                    pass
        floor_s = time.perf_counter() - began
        print(
            f"{args.rows:,} environment steps, {size / 1e9:.1f} GB a run; reading both: {floor_s:.2f} s"
        )
        for what, other in (
            ("equal, by digests", same),
            ("one number at 97 %", nudged),
            ("resumed in the middle", resumed),
        ):
            took_s, status, _ = seconds_of("diff", first, other, "--stream", "steps")
            print(
                f"{what:24s} {took_s:7.2f} s   status {status}   {took_s / floor_s:6.2f} x reading"
            )


if __name__ == "__main__":
    main()
