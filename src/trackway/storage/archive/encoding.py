"""How each column of a part is encoded: by what is smallest on a sample of it.

Floats of a simulation are noise in their low bytes; byte-stream-split lays those apart, so that
zstd finds the others. Constants and commands do better with a dictionary, forces that are often
zero as they are. (pyarrow's own choice, dictionaries for all, made a Go1's rows larger than raw.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Array = npt.NDArray[Any]

# Of a Go1's steps level 3 makes 0.03 % less in a sixth more time, level 5 0.9 % less in twice the time.
LEVEL: Final = 2
# Rounded values are 2 % smaller by it, for half as much time again, and read as quickly.
ROUNDED_LEVEL: Final = 6
# zstd codes 128 kB with one table. With so many rows these are six byte planes of a float64, mostly
# noise; sign, exponent and what else can be guessed follow with a table of their own. With 20,000
# rows a Go1's are 1.3 % larger, with 16,384 and fewer 3.5 %; more make an episode slower to read.
GROUP_ROWS: Final = (128 << 10) // 6
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
    raw = sample.view(f"u{sample.itemsize}")
    rising = np.sort(raw)  # np.unique hashes, which takes ten times as long
    known = rising[np.diff(rising, prepend=~rising[:1]) != 0]
    if len(known) <= len(sample) // 8:
        bits = max(1, math.ceil(math.log2(len(known)))) if len(known) > 1 else 0
        indices = np.searchsorted(known, raw).astype(np.uint8 if bits <= 8 else np.uint16)
        sizes[None] = min(packed(indices), len(sample) * bits // 8) + known.nbytes
    return min(sizes, key=lambda encoding: sizes[encoding])


def row_groups(lines: int, line_bytes: int) -> list[slice]:
    """Which lines each row group holds: as many as compress best, whoever's they are.

    Args:
        lines: Of the part.
        line_bytes: Size of one environment's values in a row.
    """
    most = max(1, min(GROUP_ROWS, _GROUP_BYTES // line_bytes))
    return [slice(start, min(start + most, lines)) for start in range(0, lines, most)]
