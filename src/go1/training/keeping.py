"""The model at a training's end: hours of work, to be kept anywhere rather than nowhere."""

from __future__ import annotations

import tempfile
from pathlib import Path

from trackway import files
from trackway.errors import RecordingError


def keep_model(path: Path, content: bytes) -> None:
    """Publish the model; where its disk refuses, in the folder for temporary files.

    Raises:
        RecordingError: It could not be written to `path`; the message says where it is, if anywhere.
    """
    try:
        files.publish(path, content)
        return
    except OSError as error:
        refused = f"{path} cannot be written ({error.strerror or error})"
    elsewhere = Path(tempfile.gettempdir()) / f"{path.parent.name}-{path.name}"
    try:
        files.publish(elsewhere, content)
    except OSError as error:
        raise RecordingError(
            f"{refused}, and {elsewhere} neither ({error.strerror or error}): the model is lost; "
            "the newest checkpoint is what there is"
        ) from error
    raise RecordingError(f"{refused}; the model is in {elsewhere}: make room, and move it there")
