"""Where what can be made again is kept: outside of runs, in a folder that may be deleted.

`$TRACKWAY_CACHE`, else `$XDG_CACHE_HOME/trackway`, else `~/.cache/trackway`. A run is copied, backed
up and compared: what every machine makes for itself would only make it larger. And a run that may
only be read, on a share or of a colleague, is looked at as quickly.
"""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

import orjson

from trackway import files
from trackway.storage.places import AttemptFolder

_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """The folder; it may not exist yet."""
    named = os.environ.get("TRACKWAY_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "trackway"


def cache_file(kind: str, *identity: str | Path) -> Path:
    """The file that stands for an identity, such as the path of a run and the name of a stream."""
    told = "\0".join(str(part) for part in identity)
    return cache_folder() / kind / hashlib.sha256(told.encode()).hexdigest()[:32]


def identity_of(attempt: AttemptFolder) -> dict[str, Any]:
    """What an index of an attempt is of: one recorded anew under the same name is another."""
    try:
        begun = orjson.loads(attempt.manifest.read_bytes()).get("created_unix")
    except (OSError, ValueError, AttributeError):
        begun = None
    known = isinstance(begun, int | float)
    return {
        "run": str(attempt.run.resolve()),
        "attempt": attempt.name,
        "begun_unix": float(begun) if known else None,
    }


def keep(path: Path, data: bytes | memoryview) -> bool:
    """Publish a cache file; whether it worked. Without it everything is only slower."""
    try:
        files.publish(path, data)
    except OSError as error:
        _log.debug("%s cannot be kept: %s", path, error)
        return False
    return True
