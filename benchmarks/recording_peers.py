"""What a training could write its steps with: one class each, with the same three methods.

`write` gets columns `[num_envs, *shape]` and is what the training thread pays; `recovered` counts
the environment steps that can be read after the process was killed.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from trackway import Field, Recorder, Schema, read

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
        self.recorder = Recorder(path)
        self.stream = self.recorder.stream("steps", SCHEMA, num_envs)

    def write(self, columns: Columns) -> None:
        self.stream.write(columns)

    def close(self) -> None:
        self.recorder.close()

    @staticmethod
    def recovered(path: Path) -> int:
        reward = read(path, "steps", fields=[ONE])[ONE]
        return int(reward.size)


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
}
NEEDS = {
    "Arrow stream": "pyarrow",
    "Parquet": "pyarrow",
    "HDF5": "h5py",
    "Zarr": "zarr",
    "MCAP": "mcap",
    "TensorBoard": "tensorboardX",
}
