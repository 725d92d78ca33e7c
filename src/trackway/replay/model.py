"""A recorded model, read without MuJoCo: arrays by their documented names, and what they are called."""

from __future__ import annotations

import re
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trackway.errors import SceneError

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class RecordedModel:
    """The model that a digest names, in a run's folder of scenes.

    Attributes:
        digest: Its name.
        arrays: By MuJoCo's names (`body_pos`, `opt.timestep`, …).

    Raises:
        SceneError: It is not there, or cannot be read.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        if not _DIGEST.fullmatch(digest):
            raise SceneError(f"{digest!r} names no model: the run was recorded without one")
        path = folder / f"{digest}.npz"
        try:
            # Opened here: np.load leaves a damaged file open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                self.arrays: dict[str, NDArray[Any]] = dict(kept)
        except FileNotFoundError:
            raise SceneError(
                f"the model {digest[:12]} is not in {folder}: motion cannot be shown, columns can"
            ) from None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise SceneError(f"{path} cannot be read ({error}): motion cannot be shown") from error
        self.digest = digest

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.arrays[name]

    def count(self, what: str) -> int:
        """Such as `count("nq")`."""
        return int(self.arrays[what])

    @cached_property
    def _text(self) -> bytes:
        return self.arrays["names"].tobytes()

    def names(self, kind: str) -> list[str]:
        """Names of all `body`, `jnt`, `geom`, `actuator` … in their order; "" where there is none."""
        starts = self.arrays[f"name_{kind}adr"].tolist()
        return [
            self._text[start : self._text.index(b"\0", start)].decode(errors="replace")
            for start in starts
        ]
