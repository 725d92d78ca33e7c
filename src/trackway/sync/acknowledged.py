"""What a store has acknowledged of a run, kept beside the run.

A note for speed and for those who free space. Deleted, it is made again from the store; a line that
a power cut took is found there as well, since the store is asked at every start.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from pathlib import Path

import orjson

from trackway import files
from trackway.errors import SyncError
from trackway.run import RunFolder
from trackway.sync.changes import Change, Shipped


def acknowledged_file(run: RunFolder, url: str) -> Path:
    return run.sync / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.acknowledged"


def identity(run: RunFolder) -> str:
    """Who ships this folder, wherever to: drawn once, and kept before a store hears of it."""
    path = run.sync / "identity.json"
    told = {"format": "trackway-sync-identity", "version": 1, "writer": secrets.token_hex(8)}
    with contextlib.suppress(FileExistsError):
        files.publish_new(path, orjson.dumps(told))
    return str(orjson.loads(path.read_bytes())["writer"])


def read_acknowledged(path: Path) -> tuple[str, Shipped]:
    """Who shipped under which epoch, and what; nothing where the note is not there.

    Returns:
        The epoch's name, `<writer>/<number>`, and what was acknowledged in it.

    Raises:
        SyncError: A later Trackway wrote it.
    """
    shipped = Shipped()
    epoch = ""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return epoch, shipped
    for line in lines:
        try:
            told = orjson.loads(line)
        except orjson.JSONDecodeError:
            break  # torn: the store knows the rest
        if "format" in told:
            if told["version"] > 1:
                raise SyncError(f"{path} was written by a later Trackway: update this one")
            epoch = told["epoch"]
            continue
        for change in told["changes"]:
            shipped.take(Change(**change))
        shipped.counts[told["lane"]] = told["number"] + 1
    return epoch, shipped


class Acknowledgements:
    """Appends to the note; begins it anew."""

    def __init__(self, path: Path, epoch: str, shipped: Shipped) -> None:
        whole = [
            Change(name, 0, size, mtime_ns=mtime_ns)
            for name, (size, mtime_ns) in shipped.files.items()
        ]
        grown = [Change(name, 0, size, grows=True) for name, size in shipped.grown.items()]
        head = [orjson.dumps({"format": "trackway-acknowledged", "version": 1, "epoch": epoch})]
        # What counts so far, in as many lines as there are lanes.
        for lane, count in shipped.counts.items():
            head.append(orjson.dumps({"lane": lane, "number": count - 1, "changes": whole + grown}))
            whole = grown = []
        data = b"\n".join(head) + b"\n"
        files.publish(path, data)
        self._file = files.open_append(path, len(data))

    def add(self, lane: str, number: int, changes: list[Change]) -> None:
        line = {"lane": lane, "number": number, "changes": changes}
        self._file.append(orjson.dumps(line) + b"\n")

    def close(self) -> None:
        self._file.close()
