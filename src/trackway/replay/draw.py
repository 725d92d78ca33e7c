"""The child process of a video: `python -m trackway.replay.draw FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from trackway.errors import RenderError
from trackway.replay import child
from trackway.replay.render import FRAMES, MODEL, STATES
from trackway.replay.video import encode, pick_frames, picture

_NO_GL = (
    "there is no OpenGL to draw with ({reason}); install one that needs no screen"
    " (Debian: apt-get install libegl1 libgl1-mesa-dri) or point MUJOCO_GL at yours"
)


def draw(folder: Path) -> bytes:
    """The mp4 of a job (or GIF or PNG, as its path says): states drawn, or frames as they are."""
    job = orjson.loads((folder / child.JOB).read_bytes())
    rate = Fraction(*job["rate"])
    # H.264 halves the resolution of colour: both sides have to be even.
    width, height = job["width"] // 2 * 2, job["height"] // 2 * 2
    if (folder / FRAMES).exists():
        shape = (-1, job["height"], job["width"], 3)
        stored = np.memmap(folder / FRAMES, dtype=np.uint8, mode="r").reshape(shape)
        picked = pick_frames(len(stored), job["step_s"], rate)
        frames: Iterator[np.ndarray] = (
            np.ascontiguousarray(stored[i, :height, :width]) for i in picked
        )
    else:
        qpos = np.load(folder / STATES, allow_pickle=False)
        picked = pick_frames(len(qpos), job["step_s"], rate)
        frames = _draw_states(folder, job, qpos, picked, width, height)
    ending = Path(job["path"]).suffix
    if ending in (".gif", ".png"):
        return picture(ending, frames, rate)
    encode(folder / "video.mp4", frames, rate, width, height)
    return (folder / "video.mp4").read_bytes()


def _draw_states(
    folder: Path, job: dict[str, Any], qpos: np.ndarray, picked: np.ndarray, width: int, height: int
) -> Iterator[np.ndarray]:
    """Frames of shape [height, width, 3], uint8, one per picked state."""
    try:
        import mujoco

        gl = mujoco.GLContext(width, height)
        gl.make_current()
    except Exception as error:  # each GL binding fails in its own way
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RenderError(_NO_GL.format(reason=reason)) from error
    model = mujoco.MjModel.from_binary_path(str(folder / MODEL))
    if len(picked) > 1:  # one picture may take its time
        _make_cheap(model)
    model.vis.global_.offwidth, model.vis.global_.offheight = width, height
    data = mujoco.MjData(model)
    camera = _camera(mujoco, model, job["camera"])
    scene = mujoco.MjvScene(model, maxgeom=max(1000, 2 * model.ngeom))
    context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
    mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, context)
    view, options = mujoco.MjrRect(0, 0, width, height), mujoco.MjvOption()
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    captions = job["captions"] if len(job["captions"]) != 1 else job["captions"] * len(qpos)
    for index in picked:
        data.qpos[:] = qpos[index]
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)  # tracking cameras aim at centres of mass
        mujoco.mj_camlight(model, data)
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(model, data, options, None, camera, everything, scene)
        scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        mujoco.mjr_render(view, scene, context)
        told = f"{job['begin_s'] + index * job['step_s']:.2f} s"
        left, right = told, captions[index] if captions else ""
        font, corner = mujoco.mjtFont.mjFONT_NORMAL, mujoco.mjtGridPos.mjGRID_BOTTOMLEFT
        mujoco.mjr_overlay(font, corner, view, left, right, context)
        mujoco.mjr_readPixels(pixels, None, view, context)
        yield np.ascontiguousarray(pixels[::-1])  # OpenGL's first row is the lowest
    context.free()
    gl.free()


def _make_cheap(model: Any) -> None:
    """Software OpenGL takes 200 ms for a 640 x 480 frame with the defaults, a sixth of it so."""
    quality = model.vis.quality
    quality.offsamples = 0
    quality.shadowsize = min(quality.shadowsize, 512)
    # A shadow draws every triangle a second time: round shapes from fewer of them.
    quality.numslices, quality.numstacks = min(quality.numslices, 16), min(quality.numstacks, 10)


def _camera(mujoco: Any, model: Any, wanted: str | int | None) -> Any:
    """The camera asked for, else one that walks along with the first free body."""
    camera = mujoco.MjvCamera()
    mujoco.mjv_defaultFreeCamera(model, camera)
    if wanted is None:
        free = np.flatnonzero(model.jnt_type == mujoco.mjtJoint.mjJNT_FREE)
        if len(free) > 0:
            camera.type = mujoco.mjtCamera.mjCAMERA_TRACKING
            camera.trackbodyid = int(model.jnt_bodyid[free[0]])
            camera.distance, camera.azimuth, camera.elevation = 2.0 * model.stat.extent, 120, -15
        return camera
    names = [model.camera(index).name for index in range(model.ncam)]
    if wanted not in names and wanted not in range(model.ncam):
        raise RenderError(f"the model has no camera {wanted!r}; it has {names}")
    camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
    camera.fixedcamid = names.index(wanted) if isinstance(wanted, str) else wanted
    return camera


if __name__ == "__main__":
    sys.exit(child.run(draw))
