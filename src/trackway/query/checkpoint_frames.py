"""The checkpoints of a run as a Polars frame: what each zip says of itself."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Final

import orjson

from trackway.checkpoint.archive import MANIFEST
from trackway.query.extras import need
from trackway.run import RunFolder

_KINDS: Final = {
    "checkpoint": "String",
    "path": "String",
    "timestep": "Int64",
    "unix_s": "Float64",
    "size_bytes": "Int64",
    "algorithm": "String",
    "reason": "String",
    "exact": "Boolean",
    "error": "String",
}


def checkpoint_frame(run: RunFolder) -> Any:
    """A line per zip of the run, also of one that cannot be opened: then `error` tells why."""
    zips = [*sorted(run.checkpoints.glob("*.zip")), run.best_model, run.final_model]
    return frame_of_checkpoints([_told(path) for path in zips if path.is_file()])


def frame_of_checkpoints(rows: list[dict[str, Any]]) -> Any:
    """What zips told of themselves, as a `polars.DataFrame`."""
    pl = need("polars", "reading streams as tables", "query")
    schema = {name: getattr(pl, kind) for name, kind in _KINDS.items()}
    return pl.DataFrame([{name: row.get(name) for name in _KINDS} for row in rows], schema=schema)


def _told(path: Path) -> dict[str, Any]:
    found = path.stat()
    told: dict[str, Any] = {
        "checkpoint": path.stem,
        "path": str(path),
        "unix_s": found.st_mtime,
        "size_bytes": found.st_size,
    }
    try:
        with zipfile.ZipFile(path) as file:
            if MANIFEST not in file.namelist():
                return told
            manifest = orjson.loads(file.read(MANIFEST))
        exact = manifest.get("exact")
        told |= {
            "timestep": int(manifest["timestep"]),
            "unix_s": float(manifest.get("timestamp") or found.st_mtime),
            "algorithm": str(manifest.get("algorithm")),
            "reason": None if manifest.get("reason") is None else str(manifest["reason"]),
            "exact": None if exact is None else exact is True,
        }
    # Whatever a damaged zip or manifest raises: it is told, and the others are read.
    except (
        OSError,
        zipfile.BadZipFile,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RuntimeError,  # encrypted, or packed by a method that is not known here
    ) as error:
        told["error"] = f"{type(error).__name__}: {error}"
    return told
