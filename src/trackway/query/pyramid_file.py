"""A pyramid on disk: NumPy's npz of its lowest level, which can be deleted at any time.

docs/reference/pyramid-format.md tells the members.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from trackway.query.downsample import PARTS, Buckets
from trackway.query.pyramid import BASE_ROWS, Pyramid
from trackway.storage.cache import keep

VERSION: Final = 1


def save(path: Path, pyramid: Pyramid, identity: Mapping[str, Any]) -> bool:
    """Keep a pyramid and what it is of; whether the disk took it."""
    index, base = pyramid.base()
    header = {
        "format": "trackway-pyramid",
        "version": VERSION,
        "base_rows": BASE_ROWS,
        "next_row": pyramid.next_row,
        "series": pyramid.series,
        "identity": dict(identity),
    }
    file = io.BytesIO()
    np.savez(
        file,
        header=np.frombuffer(orjson.dumps(header), np.uint8),
        index=index,
        **{name: getattr(base, name) for name in PARTS},
    )
    return keep(path, file.getbuffer())


def load(path: Path, identity: Mapping[str, Any] | None = None) -> Pyramid | None:
    """The pyramid that is kept there; None where there is none, it is damaged, or of something else.

    Args:
        path: The file.
        identity: What it must be of; anything when not given.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as found:
            header = orjson.loads(found["header"].tobytes())
            if header.get("format") != "trackway-pyramid" or header.get("version") != VERSION:
                return None
            if header["base_rows"] != BASE_ROWS:
                return None
            if identity is not None and header["identity"] != dict(identity):
                return None
            index, parts = found["index"], [found[name] for name in PARTS]
        series, next_row = int(header["series"]), int(header["next_row"])
    # Whatever a damaged zip, header or array raises: it is only a cache.
    except (OSError, ValueError, LookupError, EOFError, AttributeError, TypeError, RuntimeError):
        return None
    except (zipfile.BadZipFile, zlib.error, struct.error, SyntaxError):
        return None
    if index.ndim != 1 or any(part.shape != (series, len(index)) for part in parts):
        return None
    pyramid = Pyramid(series, parts[PARTS.index("min")].dtype)
    if len(index):
        rows = index * BASE_ROWS
        pyramid.add(index, Buckets(rows, rows + BASE_ROWS, *parts), next_row)
    return pyramid
