"""The Go1 as a MuJoCo model, built in code from `go1.robot`: no XML, no mesh, no download.

Two models share one qpos: `build_model` for physics, small and without anything to look at, and
`render_model` for eyes. qpos is [19]: position, quaternion (w, x, y, z), 12 joints; qvel is [18]:
linear velocity (world), angular velocity (body), 12 joint rates; ctrl is [12].

Sensors, in this order, are what a controller or a recorder asks for:

    gyro [3]            angular velocity, body frame, rad/s
    linear_velocity [3] velocity, body frame, m/s
    up [3]              the world's up direction in the body frame; projected gravity is its negative
    <leg>_position [3]  foot in the world, m
    <leg>_velocity [3]  foot in the world, m/s
    <leg>_contact [4]   number of contacts with the floor, then its net force on the foot in the world, N
    <joint>_torque      torque of the motor, N·m (12 of them)
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import mujoco
import numpy as np

from go1 import visuals as look
from go1.presets import Collisions, Preset, preset
from go1.robot import (
    FOOT_RADIUS,
    HIP_OFFSET,
    JOINTS,
    LEG_NAMES,
    LEGS,
    LINK_LENGTH,
    THIGH_OFFSET,
    TRUNK,
    Inertial,
    Leg,
    calf_inertial,
    hip_inertial,
    thigh_inertial,
)

FLOOR = "floor"
TRUNK_NAME = "trunk"
COLLISION_GROUP = 3

_GEOM = mujoco.mjtGeom
_ALONG_X = (1.0, 0.0, 1.0, 0.0)  # turn a capsule's or cylinder's axis from z to x, or to y;
_ALONG_Y = (1.0, 1.0, 0.0, 0.0)  # the compiler normalises


def build_model(ctrl_type: str, physics: str = "full", *, visuals: bool = False) -> mujoco.MjModel:
    """The robot on a floor, compiled.

    Args:
        ctrl_type: "position" (ctrl are joint targets in rad) or "torque" (ctrl in [-1, 1] times
            the motors' torque limits).
        physics: "upstream", "full" or "fast", see `go1.presets`.
        visuals: Add shapes, lights and cameras to look at. They change no motion.

    Raises:
        ValueError: A name is unknown; the message lists the known ones.
    """
    return build_spec(preset(ctrl_type, physics), visuals=visuals).compile()


@cache
def render_model(ctrl_type: str, physics: str = "full") -> mujoco.MjModel:
    """The same robot with everything that makes it good to look at: same qpos, same motion.

    Compiled once, and the same for everybody: copy it before changing anything.
    """
    return build_model(ctrl_type, physics, visuals=True)


def model_hash(model: mujoco.MjModel) -> str:
    """A digest of everything in the compiled model: equal hashes simulate alike."""
    buffer = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return hashlib.sha256(buffer.tobytes()).hexdigest()


def sensor_slices(model: mujoco.MjModel) -> dict[str, slice]:
    """Where each sensor lies in sensordata, by name."""
    return {
        model.sensor(i).name: slice(int(adr), int(adr) + int(dim))
        for i, (adr, dim) in enumerate(zip(model.sensor_adr, model.sensor_dim, strict=True))
    }


def build_spec(p: Preset, *, visuals: bool) -> mujoco.MjSpec:
    """The model before compilation."""
    spec = mujoco.MjSpec()
    spec.modelname = "go1"
    spec.compiler.degree = False
    spec.compiler.autolimits = True
    _set_options(spec, p)
    floor = spec.worldbody.add_geom(name=FLOOR, type=_GEOM.mjGEOM_PLANE, size=[0, 0, 0.05])
    if p.collisions is not Collisions.ALL:
        floor.contype, floor.conaffinity = 1, 0
    trunk = _add_trunk(spec, p)
    links = {leg: _add_leg(trunk, leg, p) for leg in LEGS}
    _add_actuators(spec, p)
    _add_sensors(spec)
    spec.add_key(
        name="home", qpos=[0, 0, p.home_height, 1, 0, 0, 0, *p.home_joints], ctrl=[*p.home_ctrl]
    )
    if visuals:
        look.add_scene(spec, floor)
        look.add_trunk(trunk)
        for leg, (hip, thigh, calf) in links.items():
            look.add_leg(leg, hip, thigh, calf)
    return spec


def _set_options(spec: mujoco.MjSpec, p: Preset) -> None:
    option = spec.option
    option.timestep = p.timestep
    option.integrator = p.integrator
    option.solver = p.solver
    option.iterations = p.iterations
    option.cone = p.cone
    option.impratio = p.impratio


def _add_trunk(spec: mujoco.MjSpec, p: Preset) -> Any:
    trunk = _add_body(spec.worldbody, TRUNK_NAME, (0, 0, 0.445), TRUNK)
    trunk.add_freejoint(name="root")
    trunk.add_site(name="imu", group=5)
    _add_link_geom(trunk, p, type=_GEOM.mjGEOM_BOX, size=[0.125, 0.04, 0.057])
    for y in (-0.04, 0.04):
        _add_link_geom(
            trunk,
            p,
            type=_GEOM.mjGEOM_CYLINDER,
            size=[0.058, 0.125, 0],
            pos=[0, y, 0],
            quat=_ALONG_X,
        )
    _add_link_geom(trunk, p, type=_GEOM.mjGEOM_BOX, size=[0.005, 0.06, 0.05], pos=[0.25, 0, 0])
    for y in (0.06, -0.06):
        _add_link_geom(
            trunk, p, type=_GEOM.mjGEOM_CAPSULE, size=[0.009, 0.035, 0], pos=[0.25, y, -0.01]
        )
    for size, pos in (
        ((0.01, 0.06, 0), (0.25, 0, -0.05)),
        ((0.021, 0.052, 0), (0.255, 0, 0.0355)),
    ):
        _add_link_geom(trunk, p, type=_GEOM.mjGEOM_CAPSULE, size=[*size], pos=[*pos], quat=_ALONG_Y)
    return trunk


def _add_leg(trunk: Any, leg: Leg, p: Preset) -> tuple[Any, Any, Any]:
    """Hip, thigh and calf bodies with joints, collision geoms and the foot."""
    x, y = HIP_OFFSET
    hip = _add_body(trunk, f"{leg.name}_hip", (x * leg.front, y * leg.left, 0), hip_inertial(leg))
    thigh = _add_body(
        hip, f"{leg.name}_thigh", (0, THIGH_OFFSET * leg.left, 0), thigh_inertial(leg)
    )
    calf = _add_body(thigh, f"{leg.name}_calf", (0, 0, -LINK_LENGTH), calf_inertial(leg))
    for body, joint, armature, damping in zip(
        (hip, thigh, calf), JOINTS, p.armature, p.damping, strict=True
    ):
        hinge = body.add_joint(
            name=f"{leg.name}_{joint.name}_joint",
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=joint.axis,
            range=joint.range,
            armature=armature,
            frictionloss=p.frictionloss,
        )
        hinge.damping[0] = damping

    cylinders = [((0.046, 0.02, 0), 0.045 * leg.left), ((0.031, 0.02, 0), 0.065 * leg.left)]
    if leg.front < 0:
        cylinders.append(((0.046, 0.02, 0), 0.0))
    for size, side in cylinders:
        _add_link_geom(
            hip, p, type=_GEOM.mjGEOM_CYLINDER, size=[*size], pos=[0, side, 0], quat=_ALONG_Y
        )
    for line in (
        (-0.02, 0, 0, -0.02, 0, -0.16),
        (0, 0, 0, -0.02, 0, -0.1),
        (-0.02, 0, -0.16, 0, 0, -0.2),
    ):
        _add_link_geom(thigh, p, type=_GEOM.mjGEOM_CAPSULE, size=[0.015, 0, 0], fromto=[*line])
    for line in ((0, 0, 0, 0.02, 0, -0.13), (0.02, 0, -0.13, 0, 0, -0.2)):
        _add_link_geom(calf, p, type=_GEOM.mjGEOM_CAPSULE, size=[0.01, 0, 0], fromto=[*line])
    _add_foot(calf, leg, p)
    return hip, thigh, calf


def _add_body(parent: Any, name: str, pos: Sequence[float], inertial: Inertial) -> Any:
    return parent.add_body(
        name=name,
        pos=[*pos],
        mass=inertial.mass,
        ipos=[*inertial.pos],
        iquat=[*inertial.quat],
        inertia=[*inertial.inertia],
        explicitinertial=True,
    )


def _add_link_geom(body: Any, p: Preset, **shape: Any) -> None:
    """A collision geom of a link; it has no mass, the body's inertia is explicit."""
    geom = body.add_geom(group=COLLISION_GROUP, mass=0, **shape)
    geom.friction[0] = p.link_friction
    geom.condim = p.link_condim
    geom.margin = p.contact_margin
    if p.collisions is not Collisions.ALL:
        geom.contype = 0
        geom.conaffinity = int(p.collisions is Collisions.FLOOR)


def _add_foot(calf: Any, leg: Leg, p: Preset) -> None:
    centre = [0, 0, -LINK_LENGTH]
    foot = calf.add_geom(
        name=leg.name,
        group=COLLISION_GROUP,
        type=_GEOM.mjGEOM_SPHERE,
        size=[FOOT_RADIUS, 0, 0],
        pos=centre,
        mass=0,
        priority=1,  # the foot's friction decides, whatever the floor's
        friction=[*p.foot_friction],
        condim=p.foot_condim,
        margin=p.contact_margin,
    )
    foot.solimp[:3] = p.foot_solimp
    if p.collisions is not Collisions.ALL:
        foot.contype, foot.conaffinity = 0, 1
    calf.add_site(
        name=leg.name,
        type=_GEOM.mjGEOM_SPHERE,
        size=[FOOT_RADIUS, 0, 0],
        pos=centre,
        group=5,
    )


def _add_actuators(spec: mujoco.MjSpec, p: Preset) -> None:
    for leg in LEGS:
        for joint, torque in zip(JOINTS, p.torque_limit, strict=True):
            motor = spec.add_actuator(
                name=f"{leg.name}_{joint.name}",
                target=f"{leg.name}_{joint.name}_joint",
                trntype=mujoco.mjtTrn.mjTRN_JOINT,
            )
            if p.kp is None:
                motor.set_to_motor()
                motor.gear[0] = torque
                motor.ctrlrange = [-1, 1]
            else:
                motor.set_to_position(kp=p.kp, kv=p.kd)
                motor.forcerange = [-torque, torque]
                if p.targets_limited:
                    motor.ctrlrange = joint.range


def _add_sensors(spec: mujoco.MjSpec) -> None:
    kind, of = mujoco.mjtSensor, mujoco.mjtObj

    def at_imu(name: str, sensor: mujoco.mjtSensor) -> None:
        spec.add_sensor(name=name, type=sensor, objtype=of.mjOBJ_SITE, objname="imu")

    at_imu("gyro", kind.mjSENS_GYRO)
    at_imu("linear_velocity", kind.mjSENS_VELOCIMETER)
    spec.add_sensor(
        name="up",
        type=kind.mjSENS_FRAMEZAXIS,
        objtype=of.mjOBJ_XBODY,
        objname="world",
        reftype=of.mjOBJ_XBODY,
        refname=TRUNK_NAME,
    )
    for quantity, sensor in (
        ("position", kind.mjSENS_FRAMEPOS),
        ("velocity", kind.mjSENS_FRAMELINVEL),
    ):
        for name in LEG_NAMES:
            spec.add_sensor(
                name=f"{name}_{quantity}", type=sensor, objtype=of.mjOBJ_SITE, objname=name
            )
    found, force = mujoco.mjtConDataField.mjCONDATA_FOUND, mujoco.mjtConDataField.mjCONDATA_FORCE
    net_force, one_slot = 3, 1
    for name in LEG_NAMES:
        contact = spec.add_sensor(
            name=f"{name}_contact",
            type=kind.mjSENS_CONTACT,
            objtype=of.mjOBJ_GEOM,
            objname=FLOOR,
            reftype=of.mjOBJ_GEOM,
            refname=name,
        )
        contact.intprm[:3] = [1 << int(found) | 1 << int(force), net_force, one_slot]
    for leg in LEGS:
        for joint in JOINTS:
            hinge = f"{leg.name}_{joint.name}"
            spec.add_sensor(
                name=f"{hinge}_torque",
                type=kind.mjSENS_JOINTACTFRC,
                objtype=of.mjOBJ_JOINT,
                objname=f"{hinge}_joint",
            )
