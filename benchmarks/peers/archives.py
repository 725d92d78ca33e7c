"""What a stream of steps could be archived with: one function each, from columns to a size and times."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trackway import Recorder, files
from trackway.clock import SYSTEM_CLOCK
from trackway.format.schema import Schema
from trackway.recorder.compactor import PARTS_AT_ONCE
from trackway.replay.resim import to_resim
from trackway.storage.archive.compact import compact_run
from trackway.storage.archive.layout import to_table
from trackway.storage.archive.plan import PART_BYTES
from trackway.storage.archive.precision import bounds_for
from trackway.storage.archive.rewrite import rewrite
from trackway.storage.journal import Journal, JournalSpec
from trackway.storage.places import StreamFolder, attempts, new_attempt, scenes_folder
from trackway.storage.reader import Reader, end_row

Columns = dict[str, np.ndarray]
FRAME_ROWS, SEGMENT_BYTES = 800, 64 << 20
WRITES = 3
UPKEEP = "trackway.query.upkeep"


@dataclass
class Result:
    """Seconds are of processor time, the least of several."""

    size: int
    write_s: float
    column_s: float | None = None
    episode_s: float | None = None


def best(act: Callable[[], Any], times: int = 21) -> float:
    """The least time of the processor."""
    return min(cpu(act) for _ in range(times))


def cpu(act: Callable[[], Any]) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began


def journal(folder: Path, schema: Schema, columns: Columns, least_bytes: int = 0) -> StreamFolder:
    """What the recorder leaves: sealed segments of all rows, again and again until it is so much."""
    rows, num_envs = next(iter(columns.values())).shape[:2]
    row_bytes = schema.row_bytes(num_envs)
    stream = new_attempt(folder).stream("steps")
    spec = JournalSpec("columns", num_envs, schema, SEGMENT_BYTES // row_bytes)
    writer = Journal(stream, spec, SYSTEM_CLOCK)
    while writer.next_row < max(rows, least_bytes // row_bytes):
        if writer.room <= 0:
            writer.roll()
        at = writer.next_row % rows
        part = slice(at, at + min(FRAME_ROWS, writer.room, rows - at))
        writer.append([columns[field.name][part] for field in schema])
    writer.finish("closed")
    return stream


def compacted(folder: Path, schema: Schema, columns: Columns) -> tuple[StreamFolder, float]:
    """A journal that became parts, and the seconds that took."""
    stream = journal(folder, schema, columns)
    return stream, cpu(lambda: compact_run(folder))


def trackway(folder: Path, schema: Schema, columns: Columns) -> Result:
    """Parts, made from the journal: reading it, writing, reading back and digests included."""
    made = [compacted(folder / str(turn), schema, columns) for turn in range(WRITES)]
    return _told(made[0][0], columns, min(spent for _, spent in made))


def _told(stream: StreamFolder, columns: Columns, write_s: float, times: int = 21) -> Result:
    middle = len(columns["done"]) // 2
    return Result(
        sum(part.path.stat().st_size for part in stream.parts()),
        write_s,
        best(lambda: Reader(stream, ["speed"]).poll(), times),
        best(lambda: Reader(stream, first=middle, env=3).poll(limit=1000), times),
    )


def analysis(folder: Path, schema: Schema, columns: Columns, bounds: Mapping[str, float]) -> Result:
    """Trackway's parts, rounded within the bounds of their units and those given."""
    stream, write_s = compacted(folder, schema, columns)
    rounding_s = cpu(
        lambda: [
            rewrite(stream, file, bounds=bounds_for(schema, bounds)) for file in stream.parts()
        ]
    )
    return _told(stream, columns, write_s + rounding_s)


def beside_training(folder: Path, schema: Schema, columns: Columns) -> dict[str, float]:
    """What one child of a long training costs, in seconds for a row: all of it, and what it is made of.

    It is started when so much is sealed, and also makes what pages draw long runs from.
    """
    spent: list[dict[str, float]] = []
    for turn in range(WRITES):
        run = folder / str(turn)
        stream = journal(run, schema, columns, PARTS_AT_ONCE * PART_BYTES)
        lines = end_row(stream) * columns["done"].shape[1]
        told = {
            name: _of_child(folder / f"cache-{turn}", *command) / lines
            for name, command in (
                ("starting", ("-c", f"import {UPKEEP}, trackway.storage.archive.compact")),
                ("everything", ("-m", UPKEEP, str(run))),
            )
        }
        spent.append(told)
        shutil.rmtree(run)
    return {name: min(told[name] for told in spent) for name in spent[0]}


def _of_child(cache: Path, *command: str) -> float:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "TRACKWAY_CACHE": str(cache)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@dataclass(frozen=True)
class Moved:
    """What the steps came from: columns `[rows, num_envs, *shape]`, starts of episodes, the model."""

    schema: Schema
    columns: Columns
    starts: list[dict[str, Any]]
    model: bytes
    substeps: int


def resim(folder: Path, schema: Schema, columns: Columns, moved: Moved) -> Result:
    """Trackway's parts that are simulated again; read once each, since what was read is remembered."""
    digest = hashlib.sha256(moved.model).hexdigest()
    files.publish(scenes_folder(folder) / f"{digest}.mjb", moved.model)
    everything = Schema(*schema, *moved.schema)
    with Recorder(folder, compact=False) as recorder:
        recorder.records("events").append(
            {"event": "scene", "physics": digest, "substeps": moved.substeps}
        )
        for start in moved.starts:
            recorder.records("starts").append(start)
        steps = recorder.stream("steps", everything, columns["done"].shape[1])
        given = columns | moved.columns
        for row in range(len(columns["done"])):
            steps.write({name: column[row] for name, column in given.items()})
    (attempt,) = attempts(folder)
    stream = attempt.stream("steps")
    compact_run(folder)
    return _told(stream, columns, cpu(lambda: list(to_resim(stream))), times=1)


def _lines(schema: Schema, columns: Columns) -> pa.Table:
    return to_table(schema, np.arange(len(columns["done"])), columns)


def parquet_defaults(folder: Path, schema: Schema, columns: Columns) -> Result:
    """A table as pyarrow writes it when nothing is said."""
    path = folder / "default.parquet"
    table = _lines(schema, columns)
    write_s = best(lambda: pq.write_table(table, path), WRITES)
    return Result(
        path.stat().st_size,
        write_s,
        best(lambda: pq.read_table(path, columns=["speed"], use_threads=False)),
        best(lambda: _episode(path), 3),
    )


def parquet_zstd(folder: Path, schema: Schema, columns: Columns) -> Result:
    path = folder / "zstd.parquet"
    table = _lines(schema, columns)
    write_s = best(
        lambda: pq.write_table(table, path, compression="zstd", compression_level=3), WRITES
    )
    return Result(
        path.stat().st_size,
        write_s,
        best(lambda: pq.read_table(path, columns=["speed"], use_threads=False)),
        best(lambda: _episode(path), 3),
    )


def _episode(path: Path) -> pa.Table:
    wanted = [("env", "=", 3), ("row", ">=", 10_000), ("row", "<", 11_000)]
    return pq.read_table(path, filters=wanted, use_threads=False)


def arrow_zstd(folder: Path, schema: Schema, columns: Columns) -> Result:
    path = folder / "ipc.arrow"
    table = _lines(schema, columns)
    options = pa.ipc.IpcWriteOptions(compression="zstd")

    def write() -> None:
        with pa.ipc.new_file(str(path), table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=20_000)

    write_s = best(write, WRITES)

    def column() -> None:
        with pa.OSFile(str(path)) as file:
            options = pa.ipc.IpcReadOptions(included_fields=[table.schema.get_field_index("speed")])
            pa.ipc.open_file(file, options=options).read_all()

    def episode() -> None:
        with pa.OSFile(str(path)) as file:
            reader = pa.ipc.open_file(file)
            for number in (3, 4):
                reader.get_batch(number)

    return Result(path.stat().st_size, write_s, best(column), best(episode, 3))


def zstd_alone(folder: Path, schema: Schema, columns: Columns) -> Result:
    """Each frame of the journal through zstd, as a log writer does it."""
    codec, size = pa.Codec("zstd", 3), 0

    def write() -> None:
        nonlocal size
        size = 0
        for first in range(0, len(columns["done"]), FRAME_ROWS):
            part = slice(first, first + FRAME_ROWS)
            frame = b"".join(columns[field.name][part].tobytes() for field in schema)
            size += len(codec.compress(frame))

    write_s = best(write, WRITES)
    return Result(size, write_s)


def hdf5(folder: Path, schema: Schema, columns: Columns, **filters: Any) -> Result:
    h5py = importlib.import_module("h5py")
    path = folder / "steps.h5"

    def write() -> None:
        with h5py.File(path, "w") as file:
            for name, column in columns.items():
                chunk = (4096, 1, *column.shape[2:])
                file.create_dataset(name, data=column, chunks=chunk, shuffle=True, **filters)

    def column() -> None:
        with h5py.File(path) as file:
            file["speed"][:]

    def episode() -> None:
        with h5py.File(path) as file:
            for name in columns:
                file[name][10_000:11_000, 3]

    write_s = best(write, WRITES)
    return Result(path.stat().st_size, write_s, best(column), best(episode, 3))


def hdf5_gzip(folder: Path, schema: Schema, columns: Columns) -> Result:
    return hdf5(folder, schema, columns, compression="gzip", compression_opts=4)


def hdf5_blosc(folder: Path, schema: Schema, columns: Columns) -> Result:
    plugin = importlib.import_module("hdf5plugin")
    return hdf5(folder, schema, columns, **plugin.Blosc2(cname="zstd", clevel=3))


def pcodec(folder: Path, schema: Schema, columns: Columns) -> Result:
    """A compressor for numbers that no dataframe opens, level 8."""
    pco = importlib.import_module("pcodec")
    table = _lines(schema, columns)
    size = 0

    def write() -> None:
        nonlocal size
        size = 0
        config = pco.ChunkConfig(compression_level=8)
        for name in table.column_names:
            values = table[name].to_numpy()
            if values.dtype == bool:
                size += len(pa.Codec("zstd", 3).compress(np.packbits(values)))
            else:
                size += len(pco.standalone.simple_compress(values, config))

    write_s = best(write, WRITES)
    return Result(size, write_s)


# What the others need that Trackway does not.
PACKAGES = {"h5py", "hdf5plugin", "pcodec"}
PEERS: dict[str, Callable[[Path, Schema, Columns], Result]] = {
    "trackway": trackway,
    "zstd alone, level 3": zstd_alone,
    "Parquet, pyarrow's defaults": parquet_defaults,
    "Parquet, zstd": parquet_zstd,
    "Arrow IPC, zstd": arrow_zstd,
    "HDF5, shuffle and gzip": hdf5_gzip,
    "HDF5, Blosc2 with zstd": hdf5_blosc,
    "pcodec, level 8": pcodec,
}


def run(name: str, folder: Path, schema: Schema, columns: Columns) -> Result | None:
    """One peer's result, None where it is not installed."""
    folder.mkdir()
    with contextlib.suppress(ModuleNotFoundError):
        return PEERS[name](folder, schema, columns)
    return None
