"""How each column of a part is encoded: by what is smallest on a sample of it.

Floats of a simulation are noise in their low bytes; byte-stream-split lays those apart, so that
zstd finds the others. Constants and commands do better with a dictionary, forces that are often
zero as they are. (pyarrow's own choice, dictionaries for all, made a Go1's rows larger than raw.)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Array = npt.NDArray[Any]

LEVEL: Final = 5
# Below 128 kB zstd codes all planes of a float64 with one table: 16,384 rows are 2 % larger than
# 20,000. More rows make an episode slower to read: a row group is decoded whole.
GROUP_ROWS: Final = 20_000
_GROUP_BYTES: Final = 16 << 20
_SAMPLE: Final = 4096


@dataclass
class Encodings:
    """What pyarrow's writer is told."""

    dictionaries: list[str] = field(default_factory=list)
    encodings: dict[str, str] = field(default_factory=dict)


def choose(arrow: pa.Schema, columns: Mapping[str, Array]) -> Encodings:
    """Encodings for columns `[num_envs, rows, …]`."""
    chosen = Encodings(["env"], {"row": "DELTA_BINARY_PACKED"})
    for name, column in columns.items():
        kind = arrow.field(name).type
        path = f"{name}.list.element" if pa.types.is_fixed_size_list(kind) else name
        encoding = _best(column[len(column) // 2].ravel()[:_SAMPLE])
        if encoding is None:
            chosen.dictionaries.append(path)
        else:
            chosen.encodings[path] = encoding
    return chosen


def _best(sample: Array) -> str | None:
    """Name of the smallest encoding, None for a dictionary."""
    if sample.dtype == bool:
        return "RLE"
    codec = pa.Codec("zstd", LEVEL)

    def packed(array: Array) -> int:
        return len(codec.compress(np.ascontiguousarray(array).tobytes()))

    split = sample.view(np.uint8).reshape(len(sample), -1).T
    # In this order where they are alike.
    sizes: dict[str | None, int] = {}
    if sample.dtype.kind == "f":
        sizes["BYTE_STREAM_SPLIT"] = packed(split)
    else:
        sizes["DELTA_BINARY_PACKED"] = packed(np.diff(sample, prepend=sample[:1]))
    sizes["PLAIN"] = packed(sample)
    known, places = np.unique(sample.view(f"u{sample.itemsize}"), return_inverse=True)
    if len(known) <= len(sample) // 8:
        bits = max(1, math.ceil(math.log2(len(known)))) if len(known) > 1 else 0
        indices = places.astype(np.uint8 if bits <= 8 else np.uint16)
        sizes[None] = min(packed(indices), len(sample) * bits // 8) + known.nbytes
    return min(sizes, key=lambda encoding: sizes[encoding])


def row_groups(num_envs: int, rows: int, env_bytes: int) -> list[tuple[slice, slice]]:
    """Which environments and rows each row group holds, in the order of a part.

    An environment's consecutive rows; where these are few, several environments.

    Args:
        num_envs: Environments of the stream.
        rows: Rows of the part.
        env_bytes: Size of one environment's values.
    """
    most = max(1, min(GROUP_ROWS, _GROUP_BYTES // env_bytes))
    pieces = max(1, round(rows / most))
    edges = [rows * i // pieces for i in range(pieces + 1)]
    step = max(1, round(most / rows)) if pieces == 1 else 1
    return [
        (slice(env, min(env + step, num_envs)), slice(first, last))
        for env in range(0, num_envs, step)
        for first, last in itertools.pairwise(edges)
    ]
