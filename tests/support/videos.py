"""What is in a video, by decoding it."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np


def decode(path: Path) -> tuple[np.ndarray, list[float]]:
    """Frames [T, height, width, 3] and the instants at which they are shown, s."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    pictures = np.array([frame.to_ndarray(format="rgb24") for frame in frames])
    return pictures, [float(frame.pts * frame.time_base) for frame in frames]
