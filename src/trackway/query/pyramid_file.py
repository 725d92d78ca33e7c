"""A pyramid on disk: NumPy's npz of its lowest level, which can be deleted at any time.

docs/reference/pyramid-format.md tells the members.
"""

from __future__ import annotations

import itertools
import logging
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from trackway import files
from trackway.query.aside import Aside
from trackway.query.downsample import PARTS, Buckets
from trackway.query.pyramid import BASE_ROWS, Pyramid

Array = npt.NDArray[Any]

VERSION: Final = 1
_AT_ONCE: Final = 4096
_log = logging.getLogger(__name__)


def save(path: Path, pyramid: Pyramid, identity: Mapping[str, Any]) -> bool:
    """Keep a pyramid and what it is of; whether the disk took it."""
    header = {
        "format": "trackway-pyramid",
        "version": VERSION,
        "base_rows": BASE_ROWS,
        "next_row": pyramid.next_row,
        "series": pyramid.series,
        "identity": dict(identity),
    }
    try:
        with files.building(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            told = np.frombuffer(orjson.dumps(header), np.uint8)
            _write(archive, "header", told.shape, [told])
            size = pyramid.base.size
            _write(archive, "index", (size,), pyramid.base.values("index", 0))
            for name in PARTS:
                each = (pyramid.base.values(name, i) for i in range(pyramid.series))
                _write(archive, name, (pyramid.series, size), itertools.chain.from_iterable(each))
    except OSError as error:
        _log.debug("%s cannot be kept: %s", path, error)
        return False
    return True


def _write(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], parts: Iterable[Array]
) -> None:
    """An array as NumPy's `savez` writes it, from pieces: a long run is never held as a whole."""
    rest = iter(parts)
    first = next(rest)
    described = {"descr": first.dtype.str, "fortran_order": False, "shape": shape}
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, described)
        for part in itertools.chain([first], rest):
            member.write(part.tobytes())


def load(
    path: Path, identity: Mapping[str, Any] | None = None, aside: Aside | None = None
) -> Pyramid | None:
    """The pyramid that is kept there; None where there is none, it is damaged, or of something else.

    Args:
        path: The file.
        identity: What it must be of; anything when not given.
        aside: Where it lays aside what need not be held.
    """
    try:
        # Opened here: of a file that is no zip NumPy leaves what it opened open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
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
    pyramid = Pyramid(series, parts[PARTS.index("min")].dtype, aside)
    for begin in range(0, len(index), _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        rows = index[some] * BASE_ROWS
        made = Buckets(rows, rows + BASE_ROWS, *(part[:, some] for part in parts))
        pyramid.add(index[some], made, next_row)
    return pyramid
