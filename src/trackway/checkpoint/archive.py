"""The zip of a checkpoint: Stable-Baselines3's own members, and ours under `trackway/`.

Ours are JSON and NumPy arrays without pickle. `trackway/manifest.json` holds the SHA-256 of every
other member, so that damage is found before anything is loaded.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

PREFIX = "trackway/"
MANIFEST = PREFIX + "manifest.json"
FORMAT = 4
Arrays = Mapping[str, npt.NDArray[Any]]


def with_members(
    model_zip: bytes, members: Mapping[str, bytes], manifest: Mapping[str, Any], unix_s: float
) -> bytes:
    """The model's zip with our members and a manifest added; equal arguments give equal bytes.

    Args:
        model_zip: What `model.save` wrote.
        members: Names below `trackway/` and their content.
        manifest: Facts about the checkpoint; the checksums are added here.
        unix_s: The time that the new members carry.
    """
    buffer = io.BytesIO(model_zip)
    buffer.seek(0, io.SEEK_END)
    date = max(time.localtime(unix_s)[:6], (1980, 1, 1, 0, 0, 0))  # zip begins there
    with zipfile.ZipFile(buffer, "a") as archive:
        checksums = {name: _sha256(archive.read(name)) for name in archive.namelist()}
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(PREFIX + name, date), content)
            checksums[PREFIX + name] = _sha256(content)
        text = json.dumps({**manifest, "sha256": checksums}, indent=2)
        archive.writestr(zipfile.ZipInfo(MANIFEST, date), text)
    return buffer.getvalue()


def pack_arrays(arrays: Arrays) -> bytes:
    """Arrays as an npz that needs no pickle."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack_arrays(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """What `pack_arrays` packed."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
