"""Videos of recorded states, drawn by a child process; the caller is free at once."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import orjson

from trackway.errors import RenderError
from trackway.replay.child import JOB
from trackway.replay.job import RenderJob, new_folder
from trackway.replay.video import frame_rate

_DRAW = "trackway.replay.draw"
MODEL, STATES, FRAMES = "model.mjb", "qpos.npy", "frames.rgb"


def render_video(
    model: mujoco.MjModel,
    qpos: np.ndarray,
    path: Path,
    *,
    step_s: float,
    begin_s: float = 0.0,
    fps: float = 50,
    width: int = 640,
    height: int = 480,
    camera: str | int | None = None,
    captions: Sequence[str] = (),
    in_turn: bool = True,
) -> RenderJob:
    """Draw recorded states into an mp4 at true speed, in a niced child process.

    Args:
        model: What the states move; a model with more to see but the same `qpos` will do.
        qpos: Recorded positions, [T, nq].
        path: The video; appears whole, replacing an older one.
        step_s: Time between two states, s.
        begin_s: Time of the first state, s, as it is written into the picture.
        fps: Frames a second at most; states further apart than that give fewer.
        width: Of the picture, pixels; rounded down to an even number.
        height: Of the picture, pixels; likewise.
        camera: A camera of the model, by name or number; None follows the first free body.
        captions: A line of text for the whole video (one entry) or for each state (T entries).
        in_turn: Wait until no other video of this user's is being drawn.

    Raises:
        RenderError: The arguments do not fit together, or no process could be started. What
            goes wrong later is in the job's `error`.
    """
    qpos = np.asarray(qpos, dtype=np.float64)
    if qpos.ndim != 2 or len(qpos) == 0 or qpos.shape[1] != model.nq:
        raise RenderError(
            f"recorded states of shape {qpos.shape} do not fit the model: give [T, {model.nq}]"
        )
    if step_s <= 0 or fps <= 0:
        raise RenderError(f"step_s ({step_s}) and fps ({fps}) must be greater than 0")
    if len(captions) not in (0, 1, len(qpos)):
        raise RenderError(f"{len(captions)} captions for {len(qpos)} states: give 1 or one each")
    folder = new_folder()
    try:
        mujoco.mj_saveModel(model, str(folder / MODEL))
        np.save(folder / STATES, qpos, allow_pickle=False)
        details: dict[str, Any] = {
            "camera": camera,
            "captions": list(captions),
            "width": width,
            "height": height,
        }
        details |= {"begin_s": begin_s}
        return _start(folder, path, in_turn, step_s=step_s, fps=fps, **details)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise RenderError(f"{path} is not drawn: its states could not be kept ({error})") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


class FrameFile:
    """Pictures on their way to a child process, on disk and within a bound.

    For environments whose states cannot be drawn later, only their frames.
    """

    def __init__(self, *, max_bytes: int = 256_000_000) -> None:
        self._folder = new_folder()
        self._file = (self._folder / FRAMES).open("wb")
        self._room_bytes = max_bytes
        self._shape: tuple[int, ...] = ()
        self.num_frames = 0

    def append(self, frame: np.ndarray) -> bool:
        """Keep a picture, [height, width, 3], uint8. False: it is not, the bound is reached."""
        self._shape = self._shape or frame.shape
        if frame.shape != self._shape or frame.ndim != 3 or frame.shape[2] != 3:
            raise RenderError(
                f"a frame has shape {frame.shape}: give [height, width, 3], all equal"
            )
        if frame.nbytes > self._room_bytes:
            return False
        self._file.write(np.ascontiguousarray(frame, dtype=np.uint8).data)
        self._room_bytes -= frame.nbytes
        self.num_frames += 1
        return True

    def encode(
        self, path: Path, *, step_s: float, fps: float = 50, in_turn: bool = True
    ) -> RenderJob:
        """Make an mp4 of the pictures, `step_s` apart, in a child process that owns them now."""
        try:
            self._file.close()
            if self.num_frames == 0:
                raise RenderError(f"{path} is not made: there are no frames")
            height, width, _ = self._shape
            return _start(
                self._folder, path, in_turn, step_s=step_s, fps=fps, width=width, height=height
            )
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Drop the pictures."""
        self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _start(
    folder: Path, path: Path, in_turn: bool, *, step_s: float, fps: float, **details: Any
) -> RenderJob:
    rate = frame_rate(step_s, fps)
    job = details | {
        "path": str(path.absolute()),
        "in_turn": in_turn,
        "step_s": step_s,
        "rate": [rate.numerator, rate.denominator],
    }
    (folder / JOB).write_bytes(orjson.dumps(job))
    return RenderJob(path, folder, _DRAW)
