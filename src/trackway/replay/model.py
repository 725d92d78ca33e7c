"""A recorded model, read without MuJoCo: arrays by their documented names, and what they are called."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trackway.errors import SceneError

DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_BROKEN: Final = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


class RecordedModel:
    """The model that a digest names, in a run's folder of scenes; arrays are unpacked when asked for.

    Attributes:
        digest: Its name.

    Raises:
        SceneError: It is not there, or cannot be read.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        if not DIGEST.fullmatch(digest):
            raise SceneError(f"{digest!r} names no model: the run was recorded without one")
        self.digest, self._path = digest, folder / f"{digest}.npz"
        self._arrays: dict[str, NDArray[Any]] = {}
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            raise SceneError(
                f"the model {digest[:12]} is not in {folder}: motion cannot be shown, columns can"
            ) from None
        try:
            self._kept = np.load(io.BytesIO(content), allow_pickle=False)
        except _BROKEN as error:
            raise self._unreadable(error) from error

    def get(self, name: str) -> NDArray[Any] | None:
        """An array by MuJoCo's name (`body_pos`, `opt.timestep`, …); None where there is none.

        Raises:
            SceneError: It is damaged.
        """
        if name not in self._kept.files:
            return None
        if name not in self._arrays:
            try:
                self._arrays[name] = self._kept[name]
            except _BROKEN as error:
                raise self._unreadable(error) from error
        return self._arrays[name]

    def __getitem__(self, name: str) -> NDArray[Any]:
        found = self.get(name)
        if found is None:
            raise self._unreadable(KeyError(name))
        return found

    def _unreadable(self, error: Exception) -> SceneError:
        return SceneError(f"{self._path} cannot be read ({error}): motion cannot be shown")

    def count(self, what: str) -> int:
        """Such as `count("nq")`."""
        return int(self[what])

    @cached_property
    def _text(self) -> bytes:
        return self["names"].tobytes()

    def names(self, kind: str) -> list[str]:
        """Names of all `body`, `jnt`, `geom`, `actuator` … in their order; "" where there is none."""
        starts = self[f"name_{kind}adr"].tolist()
        return [
            self._text[start : self._text.index(b"\0", start)].decode(errors="replace")
            for start in starts
        ]
