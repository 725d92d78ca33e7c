"""What writes each vector step as it comes: JSON lines, SQLite, MCAP."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson

from peers.peer import ONE, SCHEMA, Columns, Null, of_episode


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
