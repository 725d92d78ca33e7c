"""What the Go1 looks like: primitive shapes, materials, light and cameras.

Nothing here has mass or touches anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mujoco

from go1.robot import FOOT_RADIUS, LINK_LENGTH, Leg

VISUAL_GROUP = 2

_GEOM = mujoco.mjtGeom
_ALONG_X = (1.0, 0.0, 1.0, 0.0)
_ALONG_Y = (1.0, 1.0, 0.0, 0.0)


def add_scene(spec: mujoco.MjSpec, floor: Any) -> None:
    """Materials, sky, a floor that shows motion, soft light, the offscreen buffer's size."""
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.86, 0.90, 0.94],
        rgb2=[0.42, 0.53, 0.66],
        width=256,
        height=1536,
    )
    spec.add_texture(
        name="tiles",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        mark=mujoco.mjtMark.mjMARK_EDGE,
        rgb1=[0.40, 0.45, 0.50],
        rgb2=[0.34, 0.39, 0.44],
        markrgb=[0.62, 0.67, 0.72],
        width=512,
        height=512,
    )
    # Two checker squares of half a metre in each metre: a video shows distance at a glance.
    tiles = spec.add_material(name="tiles", texrepeat=[1, 1], texuniform=True)
    tiles.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "tiles"
    floor.material = "tiles"
    for name, rgba, specular, shininess in (
        ("shell", (0.88, 0.89, 0.91, 1), 0.5, 0.6),
        ("frame", (0.17, 0.18, 0.20, 1), 0.4, 0.4),
        ("metal", (0.47, 0.50, 0.54, 1), 0.7, 0.7),
        ("accent", (0.10, 0.52, 0.92, 1), 0.3, 0.5),
        ("rubber", (0.09, 0.09, 0.10, 1), 0.1, 0.1),
    ):
        spec.add_material(name=name, rgba=rgba, specular=specular, shininess=shininess)
    spec.visual.headlight.ambient[:] = 0.34
    spec.visual.headlight.diffuse[:] = 0.34
    spec.visual.headlight.specular[:] = 0.1
    spec.visual.map.shadowclip = 3  # a border further out than the cameras look: no acne there
    spec.visual.quality.shadowsize = 1024
    spec.visual.rgba.haze[:] = (0.80, 0.85, 0.90, 1)
    spec.visual.global_.offwidth = 1920
    spec.visual.global_.offheight = 1080
    spec.stat.extent = 0.9
    spec.stat.center[:] = (0, 0, 0.2)


def add_trunk(trunk: Any) -> None:
    """Shell, back plate, head with its stripe of light; a sun and two cameras that follow."""
    # A shadow map covers the neighbourhood of its light, so the sun walks along.
    trunk.add_light(
        name="sun",
        pos=[1.05, -1.2, 3.0],
        dir=[-0.35, 0.4, -1],
        mode=mujoco.mjtCamLight.mjCAMLIGHT_TRACKCOM,
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        diffuse=[0.62, 0.61, 0.58],
        specular=[0.25, 0.25, 0.25],
        castshadow=True,
    )
    trunk.add_camera(
        name="tracking",
        pos=[0, -1, 0.8],
        xyaxes=[1, 0, 0, 0, 1, 1],
        mode=mujoco.mjtCamLight.mjCAMLIGHT_TRACKCOM,
    )
    trunk.add_camera(
        name="beside",
        pos=[0.75, -1.25, 0.32],
        xyaxes=[0.857, 0.514, 0, -0.108, 0.18, 0.978],
        mode=mujoco.mjtCamLight.mjCAMLIGHT_TRACKCOM,
    )
    _add(trunk, "shell", _GEOM.mjGEOM_BOX, (0.165, 0.052, 0.044))
    for side in (-1, 1):
        _add(
            trunk,
            "shell",
            _GEOM.mjGEOM_CAPSULE,
            (0.044, 0.165, 0),
            (0, 0.050 * side, 0),
            _ALONG_X,
        )
        _add(
            trunk,
            "accent",
            _GEOM.mjGEOM_CAPSULE,
            (0.004, 0.070, 0),
            (-0.02, 0.0925 * side, 0.010),
            _ALONG_X,
        )
    _add(trunk, "frame", _GEOM.mjGEOM_BOX, (0.120, 0.046, 0.010), (-0.02, 0, 0.044))
    _add(trunk, "frame", _GEOM.mjGEOM_BOX, (0.150, 0.056, 0.010), (0, 0, -0.043))
    for x in (-1, 1):  # motor housings at both ends of the shell
        _add(
            trunk,
            "frame",
            _GEOM.mjGEOM_CYLINDER,
            (0.040, 0.020, 0),
            (0.188 * x, 0.0468, 0),
            _ALONG_X,
        )
        _add(
            trunk,
            "frame",
            _GEOM.mjGEOM_CYLINDER,
            (0.040, 0.020, 0),
            (0.188 * x, -0.0468, 0),
            _ALONG_X,
        )
    _add(trunk, "shell", _GEOM.mjGEOM_BOX, (0.030, 0.030, 0.034), (0.215, 0, 0.004))
    _add(trunk, "frame", _GEOM.mjGEOM_ELLIPSOID, (0.052, 0.072, 0.047), (0.238, 0, 0.008))
    _add(trunk, "accent", _GEOM.mjGEOM_CAPSULE, (0.005, 0.020, 0), (0.2865, 0, 0.012), _ALONG_Y)


def add_leg(leg: Leg, hip: Any, thigh: Any, calf: Any) -> None:
    """Motors, thigh, slender calf, foot."""
    side = leg.left
    _add(hip, "metal", _GEOM.mjGEOM_CYLINDER, (0.041, 0.028, 0), (0, 0.012 * side, 0), _ALONG_X)
    _add(hip, "frame", _GEOM.mjGEOM_CYLINDER, (0.046, 0.024, 0), (0, 0.046 * side, 0), _ALONG_Y)
    _add(thigh, "shell", _GEOM.mjGEOM_CYLINDER, (0.045, 0.016, 0), (0, 0.0, 0), _ALONG_Y)
    _add(thigh, "metal", _GEOM.mjGEOM_CYLINDER, (0.026, 0.0185, 0), (0, 0.0, 0), _ALONG_Y)
    _add_line(thigh, "shell", 0.026, (-0.004, 0, -0.020), (-0.016, 0, -0.115))
    _add_line(thigh, "shell", 0.019, (-0.016, 0, -0.115), (-0.004, 0, -LINK_LENGTH + 0.012))
    _add(calf, "metal", _GEOM.mjGEOM_CYLINDER, (0.020, 0.016, 0), (0, 0, 0), _ALONG_Y)
    _add_line(calf, "frame", 0.0135, (0.002, 0, -0.012), (0.014, 0, -0.115))
    _add_line(calf, "frame", 0.0105, (0.014, 0, -0.115), (0, 0, -LINK_LENGTH + 0.012))
    _add(calf, "rubber", _GEOM.mjGEOM_SPHERE, (FOOT_RADIUS, 0, 0), (0, 0, -LINK_LENGTH))


def _add(
    body: Any,
    material: str,
    shape: mujoco.mjtGeom,
    size: Sequence[float],
    pos: Sequence[float] = (0, 0, 0),
    quat: Sequence[float] = (1, 0, 0, 0),
) -> None:
    body.add_geom(
        type=shape,
        size=[*size],
        pos=[*pos],
        quat=[*quat],
        material=material,
        group=VISUAL_GROUP,
        contype=0,
        conaffinity=0,
        mass=0,
    )


def _add_line(
    body: Any, material: str, radius: float, start: Sequence[float], end: Sequence[float]
) -> None:
    """A capsule between two points."""
    body.add_geom(
        type=_GEOM.mjGEOM_CAPSULE,
        size=[radius, 0, 0],
        fromto=[*start, *end],
        material=material,
        group=VISUAL_GROUP,
        contype=0,
        conaffinity=0,
        mass=0,
    )
