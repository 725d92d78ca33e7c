"""What a training could write its steps with: one class each, with the same methods.

`write` gets columns `[num_envs, *shape]` and is what the training thread pays; `recovered` counts
the environment steps that can be read after the process was killed, -1 where nobody can count them.
`column` reads one number of every environment step, `episode` every number of one environment's
steps from `first` to `last`: they return how many numbers they got, or -1 where there is no way.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from trackway import Field, Recorder, Schema, read
from trackway.storage.places import find_stream
from trackway.storage.reader import Reader

SCHEMA = Schema(
    Field("qpos", "float64", (19,), "m, rad", "generalised positions"),
    Field("qvel", "float64", (18,), "m/s, rad/s", "generalised velocities"),
    Field("torque", "float32", (12,), "N m", "torques of the joints"),
    Field("contact_force", "float32", (4, 3), "N", "forces on the feet"),
    Field("reward", "float32", (), "1", "reward of the step"),
    Field("speed", "float32", (), "m/s", "forward speed"),
    Field("height", "float32", (), "m", "height of the trunk"),
    Field("energy", "float64", (), "J", "work of the motors"),
    Field("time", "float64", (), "s", "when the row was committed, by the machine's clock"),
    Field("done", "bool", (), "1", "whether the episode ended"),
)
# The same numbers, each a field of its own: what a call for every column costs.
APART = Schema(
    *(
        Field(f"{field.name}.{i}", field.dtype, (), field.unit, field.description)
        for field in SCHEMA
        for i in range(int(np.prod(field.shape)))
    )
)
if "COLUMNS_APART" in os.environ:
    SCHEMA = APART
ONE = next(field.name for field in SCHEMA if field.name.startswith("reward"))
Columns = dict[str, np.ndarray]


class Null:
    """Nothing: what the measuring itself costs."""

    def __init__(self, path: Path, num_envs: int) -> None:
        self.path, self.num_envs = path, num_envs

    def write(self, columns: Columns) -> None:
        pass

    def close(self) -> None:
        pass

    @staticmethod
    def recovered(path: Path) -> int:
        return 0

    @staticmethod
    def column(path: Path) -> int:
        return -1

    @staticmethod
    def episode(path: Path, num_envs: int, first: int, last: int) -> int:
        return -1


def of_episode(num_envs: int, first: int, last: int) -> slice:
    """Where the steps of environment 1 lie among those of all."""
    return slice(first * num_envs + 1, last * num_envs + 1, num_envs)


class MemoryCopy(Null):
    """A copy into arrays that are there already: the floor, and lost with the process."""

    def __init__(self, path: Path, num_envs: int) -> None:
        super().__init__(path, num_envs)
        self.rows = [
            {f.name: np.zeros((num_envs, *f.shape), f.dtype) for f in SCHEMA} for _ in range(150)
        ]
        self.at = 0

    def write(self, columns: Columns) -> None:
        row = self.rows[self.at]
        for name, column in columns.items():
            row[name][...] = column
        self.at = (self.at + 1) % 150


class Trackway(Null):
    """Ours: columns into the ring, one by one."""

    def __init__(self, path: Path, num_envs: int) -> None:
        super().__init__(path, num_envs)
        self.recorder = Recorder(path, compact=False)
        self.stream = self.recorder.stream("steps", SCHEMA, num_envs)

    def write(self, columns: Columns) -> None:
        self.stream.write(columns)

    def close(self) -> None:
        self.recorder.close()

    @staticmethod
    def recovered(path: Path) -> int:
        return Trackway.column(path)

    @staticmethod
    def column(path: Path) -> int:
        return int(read(path, "steps", fields=[ONE])[ONE].size)

    @staticmethod
    def episode(path: Path, num_envs: int, first: int, last: int) -> int:
        reader = Reader(find_stream(path, "steps"), first=first, env=1)
        found = reader.poll(limit=last - first)
        return sum(column[: last - first].size for column in found.columns.values())


class TrackwayRegistered(Trackway):
    """Ours, from arrays that never move: what probes of a batch hand over."""

    gather: Any = None

    def write(self, columns: Columns) -> None:
        if self.gather is None:
            self.gather = self.stream.gather(columns)
        self.gather.write(self.stream.at)
        self.stream.commit()


class TrackwayPacked(Trackway):
    """Ours, from a source that lies in memory as a row does: one copy."""

    def write(self, columns: Columns) -> None:
        self.stream.packed[...] = columns["packed"]
        self.stream.commit()


class TrackwayInPlace(Trackway):
    """Ours, when the environments wrote into the ring themselves: the commit alone."""

    def write(self, columns: Columns) -> None:
        self.stream.commit()


class JsonLines(Null):
    """A line for every environment step, written after every vector step."""

    def __init__(self, path: Path, num_envs: int) -> None:
        super().__init__(path, num_envs)
        path.mkdir()
        self.file = (path / "steps.jsonl").open("ab")

    def write(self, columns: Columns) -> None:
        dumps, option = orjson.dumps, orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
        self.file.write(
            b"".join(
                dumps({name: column[i] for name, column in columns.items()}, option=option)
                for i in range(self.num_envs)
            )
        )
        self.file.flush()

    def close(self) -> None:
        self.file.close()

    @staticmethod
    def recovered(path: Path) -> int:
        return (path / "steps.jsonl").read_bytes().count(b"\n")

    @staticmethod
    def column(path: Path) -> int:
        with (path / "steps.jsonl").open("rb") as file:
            return len([orjson.loads(line)[ONE] for line in file])

    @staticmethod
    def episode(path: Path, num_envs: int, first: int, last: int) -> int:
        with (path / "steps.jsonl").open("rb") as file:
            where = of_episode(num_envs, first, last)
            lines = itertools.islice(file, where.start, where.stop, where.step)
            return sum(np.size(value) for line in lines for value in orjson.loads(line).values())


class Sqlite(Null):
    """A row for every environment step, a column for every field; a commit a vector step."""

    def __init__(self, path: Path, num_envs: int) -> None:
        super().__init__(path, num_envs)
        path.mkdir()
        self.base = sqlite3.connect(path / "steps.db", isolation_level=None)
        self.base.execute("PRAGMA journal_mode=WAL")
        self.base.execute("PRAGMA synchronous=NORMAL")
        names = [f'"{f.name}"' for f in SCHEMA]
        self.base.execute(f"CREATE TABLE steps ({', '.join(names)})")
        self.insert = f"INSERT INTO steps VALUES ({', '.join('?' * len(SCHEMA))})"

    def write(self, columns: Columns) -> None:
        self.base.execute("BEGIN")
        self.base.executemany(
            self.insert,
            [[c[i].tobytes() for c in columns.values()] for i in range(self.num_envs)],
        )
        self.base.execute("COMMIT")

    def close(self) -> None:
        self.base.close()

    @staticmethod
    def recovered(path: Path) -> int:
        count: int = (
            sqlite3.connect(path / "steps.db").execute("SELECT count(*) FROM steps").fetchone()[0]
        )
        return count

    @staticmethod
    def column(path: Path) -> int:
        with contextlib.closing(sqlite3.connect(path / "steps.db")) as base:
            return len(base.execute(f'SELECT "{ONE}" FROM steps').fetchall())

    @staticmethod
    def episode(path: Path, num_envs: int, first: int, last: int) -> int:
        where = of_episode(num_envs, first, last)
        with contextlib.closing(sqlite3.connect(path / "steps.db")) as base:
            found = base.execute(
                "SELECT * FROM steps WHERE rowid > ? AND rowid <= ? AND (rowid - 1) % ? = 1",
                (where.start, where.stop, num_envs),
            ).fetchall()
        sizes = [np.dtype(field.dtype).itemsize for field in SCHEMA]
        return sum(len(v) // size for row in found for v, size in zip(row, sizes, strict=True))


class Buffered(Null):
    """Keeps copies, and writes them many at a time: as columnar formats want it."""

    batch_rows = 12_000

    def __init__(self, path: Path, num_envs: int) -> None:
        super().__init__(path, num_envs)
        path.mkdir()
        self.steps = max(1, self.batch_rows // num_envs)
        self.buffer = {f.name: np.zeros((self.steps, num_envs, *f.shape), f.dtype) for f in SCHEMA}
        self.at = 0

    def write(self, columns: Columns) -> None:
        for name, column in columns.items():
            self.buffer[name][self.at] = column
        self.at += 1
        if self.at == self.steps:
            self.flush()
            self.at = 0

    def flush(self) -> None:
        raise NotImplementedError

    def flat(self) -> Columns:
        return {
            name: column[: self.at].reshape(self.at * self.num_envs, -1)
            for name, column in self.buffer.items()
        }


class ArrowStream(Buffered):
    """Arrow's IPC stream, a batch of 1,200 rows."""

    batch_rows = 1_200

    def __init__(self, path: Path, num_envs: int) -> None:
        super().__init__(path, num_envs)
        self.writer: Any = None

    def batch(self) -> Any:
        import pyarrow as pa

        arrays = {}
        for name, column in self.flat().items():
            values = pa.array(column.reshape(-1))
            width = column.shape[1]
            arrays[name] = (
                values if width == 1 else pa.FixedSizeListArray.from_arrays(values, width)
            )
        return pa.record_batch(list(arrays.values()), names=list(arrays))

    def flush(self) -> None:
        import pyarrow as pa

        batch = self.batch()
        if self.writer is None:
            self.file = pa.OSFile(str(self.path / "steps.arrows"), "wb")
            self.writer = pa.ipc.new_stream(self.file, batch.schema)
        self.writer.write_batch(batch)

    def close(self) -> None:
        if self.at:
            self.flush()
        self.writer.close()
        self.file.close()

    @staticmethod
    def recovered(path: Path) -> int:
        import pyarrow as pa

        rows = 0
        with pa.OSFile(str(path / "steps.arrows")) as file:
            reader = pa.ipc.open_stream(file)
            try:
                while True:
                    rows += reader.read_next_batch().num_rows
            except (StopIteration, pa.ArrowInvalid, OSError):
                return rows

    @staticmethod
    def column(path: Path) -> int:
        import pyarrow as pa

        with pa.OSFile(str(path / "steps.arrows")) as file:
            return len(pa.ipc.open_stream(file).read_all()[ONE].to_numpy())

    @staticmethod
    def episode(path: Path, num_envs: int, first: int, last: int) -> int:
        import pyarrow as pa

        with pa.OSFile(str(path / "steps.arrows")) as file:
            return _numbers(pa.ipc.open_stream(file).read_all(), num_envs, first, last)


def _numbers(table: Any, num_envs: int, first: int, last: int) -> int:
    where = of_episode(num_envs, first, last)
    rows = table.take(np.arange(where.start, where.stop, where.step))
    return sum(
        len(c.combine_chunks().flatten()) if hasattr(c.type, "list_size") else len(c.to_numpy())
        for c in rows.columns
    )


class Parquet(ArrowStream):
    """Parquet, a row group of 12,000 rows, zstd."""

    batch_rows = 12_000

    def flush(self) -> None:
        import pyarrow.parquet as pq

        batch = self.batch()
        if self.writer is None:
            self.writer = pq.ParquetWriter(
                self.path / "steps.parquet", batch.schema, compression="zstd"
            )
        self.writer.write_batch(batch)

    def close(self) -> None:
        if self.at:
            self.flush()
        self.writer.close()

    @staticmethod
    def recovered(path: Path) -> int:
        import pyarrow.parquet as pq

        return int(pq.read_metadata(path / "steps.parquet").num_rows)

    @staticmethod
    def column(path: Path) -> int:
        import pyarrow.parquet as pq

        return len(pq.read_table(path / "steps.parquet", columns=[ONE])[ONE].to_numpy())

    @staticmethod
    def episode(path: Path, num_envs: int, first: int, last: int) -> int:
        import pyarrow.parquet as pq

        file, size = pq.ParquetFile(path / "steps.parquet"), Parquet.batch_rows
        size = file.metadata.row_group(0).num_rows
        where = of_episode(num_envs, first, last)
        groups = range(where.start // size, (where.stop - 1) // size + 1)
        before = groups.start * size // num_envs
        return _numbers(file.read_row_groups(groups), num_envs, first - before, last - before)


class Hdf5(Buffered):
    """HDF5, growing datasets, 1,200 rows at a time."""

    batch_rows = 1_200

    def __init__(self, path: Path, num_envs: int) -> None:
        import h5py

        super().__init__(path, num_envs)
        self.file = h5py.File(path / "steps.h5", "w")
        for name, column in self.buffer.items():
            shape = column.shape[1:]
            self.file.create_dataset(
                name, (0, *shape), column.dtype, maxshape=(None, *shape), chunks=column.shape
            )

    def flush(self) -> None:
        for name, column in self.buffer.items():
            data = self.file[name]
            end = data.shape[0]
            data.resize(end + self.at, axis=0)
            data[end:] = column[: self.at]

    def close(self) -> None:
        self.flush()
        self.file.close()

    @staticmethod
    def recovered(path: Path) -> int:
        import h5py

        with h5py.File(path / "steps.h5") as file:
            return int(np.prod(file[ONE].shape))

    @staticmethod
    def column(path: Path) -> int:
        import h5py

        with h5py.File(path / "steps.h5") as file:
            return int(file[ONE][...].size)

    @staticmethod
    def episode(path: Path, num_envs: int, first: int, last: int) -> int:
        import h5py

        with h5py.File(path / "steps.h5") as file:
            return sum(int(data[first:last, 1].size) for data in file.values())


class Zarr(Buffered):
    """Zarr, appended to 12,000 rows at a time."""

    def __init__(self, path: Path, num_envs: int) -> None:
        import zarr

        super().__init__(path, num_envs)
        group = zarr.open_group(path / "steps.zarr", mode="w")
        self.arrays = {
            name: group.create_array(
                name, shape=(0, *column.shape[1:]), chunks=column.shape, dtype=column.dtype
            )
            for name, column in self.buffer.items()
        }

    def flush(self) -> None:
        for name, column in self.buffer.items():
            self.arrays[name].append(column[: self.at])

    def close(self) -> None:
        if self.at:
            self.flush()

    @staticmethod
    def recovered(path: Path) -> int:
        import zarr

        return int(np.prod(zarr.open_group(path / "steps.zarr", mode="r")[ONE].shape))

    @staticmethod
    def column(path: Path) -> int:
        import zarr

        return int(zarr.open_group(path / "steps.zarr", mode="r")[ONE][...].size)

    @staticmethod
    def episode(path: Path, num_envs: int, first: int, last: int) -> int:
        import zarr

        group = zarr.open_group(path / "steps.zarr", mode="r")
        return sum(int(np.size(group[field.name][first:last, 1])) for field in SCHEMA)


class Mcap(Null):
    """MCAP, one message a vector step, the columns' bytes one after another."""

    def __init__(self, path: Path, num_envs: int) -> None:
        from mcap.writer import Writer

        super().__init__(path, num_envs)
        path.mkdir()
        self.file = (path / "steps.mcap").open("wb")
        self.writer = Writer(self.file)
        self.writer.start()
        self.channel = self.writer.register_channel("steps", "raw", 0)
        self.at = 0

    def write(self, columns: Columns) -> None:
        data = b"".join([column.tobytes() for column in columns.values()])
        self.writer.add_message(self.channel, self.at, data, self.at)
        self.at += 1

    def close(self) -> None:
        self.writer.finish()
        self.file.close()

    @staticmethod
    def recovered(path: Path) -> int:
        from mcap.stream_reader import StreamReader

        rows = 0
        with (path / "steps.mcap").open("rb") as file:
            try:
                for record in StreamReader(file).records:
                    if type(record).__name__ == "Message":
                        rows += len(record.data) // SCHEMA.row_bytes(1)
            except Exception:  # noqa: BLE001 - the file is torn, in whatever way
                return rows
        return rows

    @staticmethod
    def column(path: Path) -> int:
        return sum(columns[ONE].size for columns in Mcap.messages(path))

    @staticmethod
    def episode(path: Path, num_envs: int, first: int, last: int) -> int:
        messages = itertools.islice(Mcap.messages(path), first, last)
        return sum(column[1].size for columns in messages for column in columns.values())

    @staticmethod
    def messages(path: Path) -> Iterator[Columns]:
        from mcap.reader import make_reader

        with (path / "steps.mcap").open("rb") as file:
            for _, _, message in make_reader(file).iter_messages():
                num_envs, start = len(message.data) // SCHEMA.row_bytes(1), 0
                columns = {}
                for field in SCHEMA:
                    shape = (num_envs, *field.shape)
                    columns[field.name] = np.ndarray(shape, field.dtype, message.data, start)
                    start += columns[field.name].nbytes
                yield columns


class TensorBoard(Null):
    """TensorBoard, a scalar for every number of every environment."""

    def __init__(self, path: Path, num_envs: int) -> None:
        from tensorboardX import SummaryWriter

        super().__init__(path, num_envs)
        self.writer = SummaryWriter(str(path))
        self.at = 0

    def write(self, columns: Columns) -> None:
        for name, column in columns.items():
            for env, values in enumerate(column.reshape(self.num_envs, -1)):
                for i, value in enumerate(values):
                    self.writer.add_scalar(f"{name}/{env}/{i}", value, self.at)
        self.at += 1

    def close(self) -> None:
        self.writer.close()

    @staticmethod
    def recovered(path: Path) -> int:
        return -1  # its reader samples: there is no way to count


class Rerun(Buffered):
    """Rerun's columns, 1,200 rows at a time, into a file."""

    batch_rows = 1_200

    def __init__(self, path: Path, num_envs: int) -> None:
        import rerun as rr

        super().__init__(path, num_envs)
        self.rerun = rr
        self.stream = rr.RecordingStream("steps")
        self.stream.save(path / "steps.rrd")
        self.sent = 0

    def flush(self) -> None:
        import pyarrow as pa

        rr, flat = self.rerun, {}
        for name, column in self.flat().items():
            values, width = pa.array(column.reshape(-1)), column.shape[1]
            if width > 1:
                values = pa.FixedSizeListArray.from_arrays(values, width)
            flat[name.replace(".", "_")] = values
        numbers = np.arange(self.sent, self.sent + self.at * self.num_envs)
        rr.send_columns(
            "steps",
            indexes=[rr.TimeColumn("row", sequence=numbers)],
            columns=rr.AnyValues.columns(**flat),
            recording=self.stream,
        )
        self.sent += self.at * self.num_envs

    def close(self) -> None:
        if self.at:
            self.flush()
        self.stream.flush()
        self.stream.disconnect()

    @staticmethod
    def recovered(path: Path) -> int:
        return -1  # its readers go through a server of its own


class Metrics(Null):
    """A tracker of metrics: a call for every environment step, with every number by name."""

    def write(self, columns: Columns) -> None:
        flat = [(name, c.reshape(self.num_envs, -1)) for name, c in columns.items()]
        for env in range(self.num_envs):
            self.log(
                {
                    f"{name}/{i}": float(value)
                    for name, values in flat
                    for i, value in enumerate(values[env])
                }
            )

    def log(self, numbers: dict[str, float]) -> None:
        raise NotImplementedError

    @staticmethod
    def recovered(path: Path) -> int:
        return -1


class WandbOffline(Metrics):
    """Weights & Biases without a server."""

    def __init__(self, path: Path, num_envs: int) -> None:
        import wandb

        super().__init__(path, num_envs)
        path.mkdir()
        settings = wandb.Settings(silent=True, console="off", x_disable_stats=True)
        self.run = wandb.init(mode="offline", dir=str(path), project="steps", settings=settings)

    def log(self, numbers: dict[str, float]) -> None:
        self.run.log(numbers)

    def close(self) -> None:
        self.run.finish()


class Mlflow(Metrics):
    """MLflow into a folder, through its database."""

    def __init__(self, path: Path, num_envs: int) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Metric

        super().__init__(path, num_envs)
        path.mkdir()
        self.client, self.metric = MlflowClient(f"sqlite:///{path}/mlflow.db"), Metric
        self.run = self.client.create_run(self.client.create_experiment("steps")).info.run_id
        self.at = 0

    def log(self, numbers: dict[str, float]) -> None:
        now_ms = time.monotonic_ns() // 1_000_000
        values = [self.metric(name, value, now_ms, self.at) for name, value in numbers.items()]
        self.client.log_batch(self.run, metrics=values)
        self.at += 1


OURS = {
    "trackway": Trackway,
    "trackway registered": TrackwayRegistered,
    "trackway packed": TrackwayPacked,
    "trackway in place": TrackwayInPlace,
}
PEERS: dict[str, type[Null]] = {
    "null": Null,
    "memory copy": MemoryCopy,
    **OURS,
    "Arrow stream": ArrowStream,
    "HDF5": Hdf5,
    "Parquet": Parquet,
    "MCAP": Mcap,
    "Zarr": Zarr,
    "JSON lines": JsonLines,
    "SQLite": Sqlite,
    "TensorBoard": TensorBoard,
    "Rerun": Rerun,
    "W&B offline": WandbOffline,
    "MLflow": Mlflow,
}
# What it takes a while to write or to close: one short round, of the fewest environments.
SLOW = {"TensorBoard", "W&B offline", "MLflow"}
NEEDS = {
    "Arrow stream": "pyarrow",
    "Parquet": "pyarrow",
    "HDF5": "h5py",
    "Zarr": "zarr",
    "MCAP": "mcap",
    "TensorBoard": "tensorboardX",
    "Rerun": "rerun",
    "W&B offline": "wandb",
    "MLflow": "mlflow",
}
PACKAGES = {"rerun": "rerun-sdk"}
