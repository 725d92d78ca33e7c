"""What wants many rows at once, as columnar formats do; rows not yet written die with the process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from peers.peer import ONE, SCHEMA, Columns, Null, of_episode


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
