"""Open a checkpoint, or say in one sentence why it is none."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt

from trackway.checkpoint.archive import MANIFEST, PREFIX, unpack_arrays
from trackway.checkpoint.state_member import DOCUMENT
from trackway.errors import DamagedCheckpointError, NotACheckpointError

# What makes a zip a model of Stable-Baselines3: its data, and parameters of a policy.
_MODEL_DATA, _MODEL_WEIGHTS = "data", "policy.pth"

# NotImplementedError (a RuntimeError): a flipped bit asks for an unknown compression.
_BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError, RuntimeError)


@dataclass(frozen=True)
class Checkpoint:
    """A whole, verified checkpoint.

    Attributes:
        path: The zip, for `PPO.load`.
        manifest: Facts about it (`timestep`, `algorithm`, `versions`, `exact`, …). Empty for a model
            that was saved by Stable-Baselines3 alone.
        members: Our members by their names below `trackway/`.
    """

    path: Path
    manifest: dict[str, Any] = field(default_factory=dict)
    members: dict[str, bytes] = field(default_factory=dict)

    @property
    def resumable(self) -> bool:
        """Whether training can go on here, rather than start anew from its weights."""
        return bool(self.manifest)

    @property
    def has_state(self) -> bool:
        """Whether it holds the state from which training goes on as if it had not stopped."""
        return DOCUMENT in self.members

    @property
    def inexact_because(self) -> list[str]:
        """What it lacks of that state and what that means; empty if nothing."""
        exact = self.manifest.get("exact", ["it was saved by Stable-Baselines3 alone"])
        return [] if exact is True else list(exact)

    @property
    def begins_anew(self) -> bool:
        """Whether its environments do not come back, so that new episodes begin where it is resumed."""
        return bool(self.manifest.get("begins_anew", False))

    @property
    def timestep(self) -> int | None:
        """Timesteps trained, where the checkpoint says so."""
        timestep = self.manifest.get("timestep")
        return None if timestep is None else int(timestep)

    @property
    def learn(self) -> int:
        """In which call of `learn` of its program it was taken: 1, 2, …."""
        return int(self.manifest.get("learn", 1))

    def document(self, name: str) -> Any:
        """A JSON member (`counters.json`), or None where there is none."""
        content = self.members.get(name)
        return None if content is None else json.loads(content)

    def arrays(self, name: str) -> dict[str, npt.NDArray[Any]] | None:
        """The arrays of a member (`vecnormalize.npz`), or None where there is none."""
        content = self.members.get(name)
        return None if content is None else unpack_arrays(content)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and verify a checkpoint: a zip, or a folder with `checkpoint_meta.json` and `model.zip`.

    A zip of Stable-Baselines3 alone is accepted, with an empty manifest.

    Raises:
        NotACheckpointError: It is no model at all.
        DamagedCheckpointError: It was one, but not every byte is as it was written.
    """
    path = Path(path)
    meta = path.parent / "checkpoint_meta.json"
    if path.is_dir():
        folder, path, meta = path, path / "model.zip", path / "checkpoint_meta.json"
        if not path.is_file():
            raise NotACheckpointError(folder, "it is a folder; name a zip in it")
    elif not path.exists() and path.suffix != ".zip":
        path = path.with_name(path.name + ".zip")  # as Stable-Baselines3 itself allows
    if not path.is_file():
        raise NotACheckpointError(path, "there is no such file; check the path")
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        if _begins_as_zip(path):
            raise DamagedCheckpointError(path, f"its end is missing or broken: {error}") from error
        raise NotACheckpointError(path, "it is not a zip file") from error
    with archive:
        contents = _verified(path, archive)
    manifest: dict[str, Any] = {}
    if MANIFEST in contents:
        manifest = json.loads(contents.pop(MANIFEST))
    elif path.name == "model.zip" and meta.is_file():
        manifest = _foreign_manifest(meta)
    members = {
        name.removeprefix(PREFIX): c for name, c in contents.items() if name.startswith(PREFIX)
    }
    return Checkpoint(path, manifest, members)


def _verified(path: Path, archive: zipfile.ZipFile) -> dict[str, bytes]:
    names = archive.namelist()
    # Parameters are zips in the zip: of a file that was cut off, the last one whole is found.
    if _begins_as_zip(path) and min((i.header_offset for i in archive.infolist()), default=0) > 0:
        raise DamagedCheckpointError(path, "its end is missing")
    if _MODEL_DATA not in names or _MODEL_WEIGHTS not in names:
        raise NotACheckpointError(path, f"it has no members {_MODEL_DATA!r} and {_MODEL_WEIGHTS!r}")
    try:
        contents = {name: archive.read(name) for name in names}
        checksums = json.loads(contents[MANIFEST])["sha256"] if MANIFEST in contents else {}
    except _BROKEN as error:
        raise DamagedCheckpointError(path, str(error)) from error
    for name, expected in checksums.items():
        if hashlib.sha256(contents.get(name, b"")).hexdigest() != expected:
            raise DamagedCheckpointError(path, f"{name} does not match its checksum")
    return contents


def _foreign_manifest(meta: Path) -> dict[str, Any]:
    """The facts of the earlier system's folder layout, as far as they are there."""
    try:
        facts = json.loads(meta.read_bytes())
    except (OSError, ValueError) as error:
        raise DamagedCheckpointError(meta, str(error)) from error
    if not isinstance(facts, dict):
        raise DamagedCheckpointError(meta, "it holds no facts")
    timestep = facts.get("timestep", facts.get("num_timesteps"))
    return {**facts, "timestep": timestep}


def _begins_as_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"
