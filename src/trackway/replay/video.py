"""H.264 in mp4, GIF and PNG, at the speed at which things happened."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

from trackway.errors import RenderError


def frame_rate(step_s: float, fps: float) -> Fraction:
    """Frames a second: `fps`, or one frame a state where states are further apart."""
    return Fraction(min(fps, 1.0 / step_s)).limit_denominator(1001)


def pick_frames(num_states: int, step_s: float, rate: Fraction) -> np.ndarray:
    """Which state each frame shows. Frames are left out, time is never stretched.

    A state lasts `step_s` from its instant on; frame k is shown at k / rate.

    Returns:
        Indices into the states, [num_frames], int64.
    """
    num_frames = max(1, round(num_states * step_s * float(rate)))
    # The small term keeps a frame that falls on a state's own instant from landing before it.
    states = np.floor(np.arange(num_frames) / (float(rate) * step_s) + 1e-6)
    return np.minimum(states.astype(np.int64), num_states - 1)


def encode(
    path: Path, frames: Iterable[np.ndarray], rate: Fraction, width: int, height: int
) -> None:
    """Write an mp4 file of frames of shape [height, width, 3], uint8; both sides even."""
    try:
        import av
    except ImportError as error:
        raise RenderError("PyAV is missing; pip install 'trackway[video]'") from error
    # faststart: the index goes first, so that browsers play while they load
    with av.open(path, "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream(
            "libx264", rate=rate, options={"preset": "veryfast", "crf": "23", "threads": "1"}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def picture(ending: str, frames: Iterable[np.ndarray], rate: Fraction) -> bytes:
    """A GIF of all frames (`.gif`), or a PNG of the first (`.png`).

    A GIF counts hundredths of a second: each frame lasts until the hundredth nearest to its end, so
    that the whole keeps true speed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise RenderError("Pillow is missing; pip install 'trackway[video]'") from error
    buffer = io.BytesIO()
    images = (Image.fromarray(pixels) for pixels in frames)
    first = next(images)
    if ending == ".png":
        first.save(buffer, "png")
        return buffer.getvalue()
    shown = [image.quantize(64) for image in (first, *images)]
    ends = [round(100 * k / float(rate)) for k in range(len(shown) + 1)]
    lasts_ms = [10 * (after - before) for before, after in itertools.pairwise(ends)]
    shown[0].save(buffer, "gif", save_all=True, append_images=shown[1:], duration=lasts_ms, loop=0)
    return buffer.getvalue()
