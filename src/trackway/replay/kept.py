"""What is known of an attempt's episodes, kept so that a long run opens at once.

It is an index in the cache folder: one that is missing, damaged, of another version or of another
recording is made again. docs/reference/episode-index-format.md tells the members.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from trackway.storage.cache import keep

VERSION: Final = 1
_FORMAT: Final = "trackway-episode-index"


class Table:
    """Rows of numbers and words that are appended together and read as columns.

    A column that was handed out stays as it is; `extend` makes longer ones.

    Args:
        kinds: The type of each column, in the order of a row's values.
    """

    def __init__(self, kinds: Mapping[str, Any]) -> None:
        self.kinds = kinds
        self._columns: dict[str, NDArray[Any]] = {n: np.empty(0, k) for n, k in kinds.items()}

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._columns[name]

    def extend(self, rows: Iterable[Sequence[Any]]) -> None:
        """Append rows, a value for each column."""
        values = list(zip(*rows, strict=True))
        if values:
            self._columns = {
                name: np.concatenate([self._columns[name], np.array(new, kind)])
                for (name, kind), new in zip(self.kinds.items(), values, strict=True)
            }

    def take(self, columns: Mapping[str, NDArray[Any]]) -> bool:
        """Begin with these columns; False, and nothing happens, where they are not this table's."""
        for name, kind in self.kinds.items():
            found = columns.get(name)
            if found is None or found.ndim != 1 or not np.issubdtype(found.dtype, kind):
                return False
        if len({len(columns[name]) for name in self.kinds}) != 1:
            return False
        self._columns = {name: columns[name] for name in self.kinds}
        return True


def save(path: Path, tables: Mapping[str, Table], identity: Mapping[str, Any]) -> bool:
    """Keep tables and what they are of; whether the disk took it."""
    header = {"format": _FORMAT, "version": VERSION, "identity": dict(identity)}
    columns = {f"{t}.{name}": table[name] for t, table in tables.items() for name in table.kinds}
    file = io.BytesIO()
    np.savez(file, header=np.frombuffer(orjson.dumps(header), np.uint8), **columns)  # type: ignore[arg-type]
    return keep(path, file.getbuffer())


def load(path: Path, tables: Mapping[str, Table], identity: Mapping[str, Any]) -> bool:
    """Fill empty tables from what is kept there; False, and they stay empty, where it cannot be used."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as found:
            header = orjson.loads(found["header"].tobytes())
            if header != {"format": _FORMAT, "version": VERSION, "identity": dict(identity)}:
                return False
            columns = {
                t: {n: found[f"{t}.{n}"] for n in table.kinds} for t, table in tables.items()
            }
    # Whatever a damaged zip, header or array raises: it is only an index.
    except (OSError, ValueError, LookupError, EOFError, AttributeError, TypeError, RuntimeError):
        return False
    except (zipfile.BadZipFile, zlib.error, struct.error, SyntaxError):
        return False
    fresh = {name: Table(table.kinds) for name, table in tables.items()}
    if not all(fresh[name].take(columns[name]) for name in tables):
        return False
    return all(table.take(columns[name]) for name, table in tables.items())
