"""How things are called in a store; only this module spells keys.

runs/<run>/<rank>/                  0, or the rank of one of several writers of a run
├── epochs/000001.json              who holds it, and where the epoch before ends
├── e000001/live/000000000000.ship  shipments, each lane numbered without a gap
├── e000001/models/…
├── e000001/steps/…
├── blobs/<sha256>                  bytes too large for a shipment
└── watched                         rewritten while somebody watches
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from trackway.errors import SyncError

# In the order in which they are shipped: what is looked at first, first.
LANES: Final = ("live", "models", "steps")
_ENCODED: Final = re.compile(r"=([0-9A-F]{2})")
_SHIPMENT: Final = re.compile(r"(\d{12})\.ship")
_EPOCH: Final = re.compile(r"(\d{6,})\.json")


def encode_name(name: str) -> str:
    """A run's name as part of a key: what is not a letter, a digit or `-_.` as `=EA`."""
    kept = re.compile(rb"[A-Za-z0-9_.-]")
    return "".join(
        chr(byte) if kept.match(bytes([byte])) else f"={byte:02X}" for byte in name.encode()
    )


def decode_name(encoded: str) -> str:
    raw = _ENCODED.sub(lambda match: chr(int(match[1], 16)), encoded)
    return raw.encode("latin-1").decode()


def run_prefix(run: str) -> str:
    return f"runs/{encode_name(run)}/"


def rank_prefix(run: str, rank: int) -> str:
    return f"{run_prefix(run)}{rank}/"


def epochs_prefix(prefix: str) -> str:
    return f"{prefix}epochs/"


def epoch_key(prefix: str, epoch: int) -> str:
    return f"{prefix}epochs/{epoch:06d}.json"


def epoch_of(key: str) -> int | None:
    match = _EPOCH.fullmatch(key.rpartition("/")[2])
    return int(match[1]) if match else None


def lane_prefix(prefix: str, epoch: int, lane: str) -> str:
    return f"{prefix}e{epoch:06d}/{lane}/"


def shipment_key(prefix: str, epoch: int, lane: str, number: int) -> str:
    return f"{lane_prefix(prefix, epoch, lane)}{number:012d}.ship"


def number_of(key: str) -> int | None:
    match = _SHIPMENT.fullmatch(key.rpartition("/")[2])
    return int(match[1]) if match else None


def blobs_prefix(prefix: str) -> str:
    return f"{prefix}blobs/"


def blob_key(prefix: str, sha256: str) -> str:
    return f"{blobs_prefix(prefix)}{sha256}"


def watched_key(prefix: str) -> str:
    return f"{prefix}watched"


def parts_of(path: str) -> tuple[str, ...]:
    """The folders and the name of a file of a run, as a shipment tells of it.

    Raises:
        SyncError: It would lead out of the run's folder.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
        raise SyncError(f"{path!r} is no file of a run")
    return parts
