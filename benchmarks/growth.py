"""How cost grows with size: per unit at n, 4n and 16n, where anything quadratic would cost 16 times.

    python benchmarks/growth.py           small sizes, under a minute
    python benchmarks/growth.py --full    500 columns, 4,096 environments, a million records, 10,000 runs

`append` is CPU of the training thread, `writer` CPU of the writer process, `until durable` and `written`
are time by the wall, everything else CPU of this process. Machines are noisy, and noise only ever
takes time: the best of some rounds, in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from trackway import Field, Recorder, Schema, read, read_records, run
from trackway.cli.main import main as command
from trackway.format.segment import FRAME_MAGIC, encode_note, frames
from trackway.storage.places import find_stream
from trackway.storage.reader import Reader

Costs = dict[str, float]


class Stopwatch:
    """Seconds from one look to the next."""

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self._clock = clock
        self._began = clock()

    def lap(self) -> float:
        began, self._began = self._began, self._clock()
        return self._began - began


def cpu_s(pid: int) -> float:
    """CPU of a process with one thread, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def rows_of(folder: Path, num_columns: int, num_envs: int, count: int) -> Costs:
    """Rows of so many columns and environments, one number each; seconds for a row."""
    schema = Schema(*(Field(f"column {i}", "float32") for i in range(num_columns)))
    given = {field.name: np.ones(num_envs, np.float32) for field in schema}
    with Recorder(folder, compact=False) as recorder:
        stream = recorder.stream("steps", schema, num_envs)
        stream.write(given)
        recorder.sync()
        pid = recorder._writer.pid
        writing, training = Stopwatch(lambda: cpu_s(pid)), Stopwatch(time.thread_time)
        for _ in range(count):
            stream.write(given)
        append_s = training.lap()
        recorder.sync()
        writer_s = writing.lap()
    reading = Stopwatch()
    assert len(read(folder, "steps")) == count + 1
    costs = {"append": append_s, "writer": writer_s, "read back": reading.lap()}
    return {name: cost / count for name, cost in costs.items()}


def columns(folder: Path, size: int) -> Costs:
    return rows_of(folder, size, 12, 400)


def environments(folder: Path, size: int) -> Costs:
    return rows_of(folder, 20, size, 100)


def records(folder: Path, size: int) -> Costs:
    record = {"episode": 0, "return": 1.5, "length": 1000, "reason": "time_limit"}
    with Recorder(folder, segment_bytes=4 << 20, compact=False) as recorder:
        stream = recorder.records("episodes")
        training, wall = Stopwatch(time.thread_time), Stopwatch(time.perf_counter)
        for number in range(size):
            stream.append(record | {"episode": number})
        append_s = training.lap()
        recorder.sync(900.0)
        durable_s = wall.lap()
    wall = Stopwatch()
    assert len(read_records(folder, "episodes")) == size
    read_s = wall.lap()
    with quiet():
        command(["verify", str(folder)])
        verify_s = wall.lap()
        command(["tail", str(folder), "episodes"])
    return {
        "append": append_s,
        "until durable": durable_s,
        "read back": read_s,
        "verify": verify_s,
        "the last ten": wall.lap(),
    }


def segments(folder: Path, size: int) -> Costs:
    """Files of a stream: cut, read piece by piece as something larger than memory is."""
    with Recorder(folder, segment_bytes=1, compact=False, close_timeout_s=900.0) as recorder:
        stream = recorder.stream("steps", Schema(Field("x")))
        wall = Stopwatch(time.perf_counter)
        for number in range(size):
            stream.write({"x": [number]})
        recorder.sync(900.0)
        write_s = wall.lap()
    wall = Stopwatch()
    reader, found = Reader(find_stream(folder, "steps")), 0
    while batch := len(reader.poll(limit=4)):
        found += batch
    assert found == size
    return {"written": write_s, "read in parts": wall.lap()}


def damage(folder: Path, size: int) -> Costs:
    """Places in a file where no frame can be read, between frames that can."""
    data = (FRAME_MAGIC + bytes(2000) + encode_note(0, 0, {"note": "whole"})) * size
    wall = Stopwatch()
    assert len(list(frames(data, 0, 0))) == 2 * size
    return {"passed over": wall.lap()}


def attempts(folder: Path, size: int) -> Costs:
    """Restarts of one training: what the last of them pays for those before it."""
    schema = Schema(Field("x"))
    with Recorder(folder, compact=False) as recorder:
        recorder.stream("steps", schema).write({"x": [1.0]})
    (first,) = (folder / "realtime_data" / "streams").iterdir()
    for number in range(2, size + 1):
        path = first.with_name(f"{number:03d}-copy")
        (path / "steps").mkdir(parents=True)
        (path / "lock").touch()
        os.link(first / "steps" / "000000.seg", path / "steps" / "000000.seg")
    wall = Stopwatch()
    with Recorder(folder, compact=False) as recorder:
        start_s = wall.lap()
    wall.lap()
    read(folder, "steps")
    return {"start": start_s, "read the last": wall.lap()}


def runs(folder: Path, size: int) -> Costs:
    """Folders of runs, each with some checkpoints."""
    for number in range(size):
        made = run.RunFolder(folder / f"2025-01-01_12-00-00-run_{number:05d}")
        made.checkpoints.mkdir(parents=True)
        for checkpoint in range(3):
            (made.checkpoints / f"checkpoint_2025010{checkpoint}_120000.zip").touch()
        manifest = run.new_manifest(command=["train.py"], config={}, timesteps=number)
        made.manifest.write_bytes(run.orjson.dumps(manifest | {"status": "finished"}))
    costs, wall = {}, Stopwatch()
    for name, given in (
        ("runs", ["runs", str(folder)]),
        ("runs --json", ["runs", str(folder), "--json"]),
        ("show latest", ["show", "latest", "--models", str(folder)]),
    ):
        wall.lap()
        with quiet():
            assert command(given) == 0
        costs[name] = wall.lap()
    return costs


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), write_through=True)):
        yield


# Case, what a unit is, the largest size in a short run and with --full.
CASES = (
    (columns, "column", 500, 500),
    (environments, "environment", 1024, 4096),
    (records, "record", 16_000, 1_000_000),
    (segments, "file", 320, 16_000),
    (damage, "place", 1600, 16_000),
    (attempts, "attempt", 160, 1600),
    (runs, "run", 800, 10_000),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the large sizes; some minutes")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", choices=[case.__name__ for case, *_ in CASES], nargs="+")
    args = parser.parse_args()
    print(f"{'us per':30}{'n':>10}{'at n':>10}{'at 4n':>10}{'at 16n':>10}{'16n / n':>10}")
    for case, unit, short, full in CASES:
        if args.only and case.__name__ not in args.only:
            continue
        largest = full if args.full else short
        sizes = [largest // 16, largest // 4, largest]
        found: dict[int, list[Costs]] = {size: [] for size in sizes}
        for _ in range(args.rounds):
            for size in sizes:
                with tempfile.TemporaryDirectory(prefix="growth-") as folder:
                    found[size].append(case(Path(folder), size))
        for name in found[largest][0]:
            per_unit = [min(r[name] for r in found[s]) / s * 1e6 for s in sizes]
            print(
                f"{unit + ', ' + name:30}{sizes[0]:>10,}"
                + "".join(f"{cost:10.2f}" for cost in per_unit)
                + f"{per_unit[-1] / per_unit[0]:10.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
