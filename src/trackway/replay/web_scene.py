"""A recorded model in the form that a browser draws: bodies, joints, shapes, colours.

`docs/reference/replay-format.md` is the specification. Tendons, skins and flexible bodies are left out;
a texture that wraps around a shape (a cube map) becomes its mean colour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trackway.replay.container import Packer
from trackway.replay.model import RecordedModel

MAGIC: Final = b"TWSC"
VERSION: Final = 1
_MESH_KINDS: Final = (7, 8)  # mjGEOM_MESH, mjGEOM_SDF
_HFIELD: Final = 1
_TEXTURE_2D, _SKYBOX = 0, 2
_ROLES: Final = (1, 8)  # mjTEXROLE_RGB, mjTEXROLE_RGBA
_LARGEST_TEXTURE: Final = 256
Array = NDArray[Any]


def web_scene(drawn: RecordedModel, physics: RecordedModel | None = None) -> bytes:
    """The scene of a model, ready to be compressed.

    Args:
        drawn: The model to draw.
        physics: The simulated one, which has the same bodies and joints; masses come from it.
    """
    packer = Packer()
    simulated = physics or drawn
    header = {
        "digest": drawn.digest,
        "nq": drawn.count("nq"),
        "qpos0": _numbers(drawn["qpos0"]),
        "extent": _number(drawn["stat.extent"]),
        "bodies": _bodies(drawn, simulated),
        "joints": _joints(drawn),
        "actuators": _actuators(simulated),
        "geoms": _geoms(drawn),
        "materials": _materials(drawn),
        "textures": _textures(drawn, packer),
        "meshes": _meshes(drawn, packer),
        "hfields": _hfields(drawn, packer),
        "sky": _sky(drawn),
    }
    return packer.pack(MAGIC, VERSION, header)


def _bodies(model: RecordedModel, simulated: RecordedModel) -> list[dict[str, Any]]:
    fits = simulated.count("nbody") == model.count("nbody")
    masses = (simulated if fits else model)["body_mass"]
    centres = (simulated if fits else model)["body_ipos"]
    return [
        {
            "name": name,
            "parent": int(model["body_parentid"][i]),
            "pos": _numbers(model["body_pos"][i]),
            "quat": _numbers(model["body_quat"][i]),
            "joints": [int(model["body_jntadr"][i]), int(model["body_jntnum"][i])],
            "mocap": int(model["body_mocapid"][i]),
            "mass": _number(masses[i]),
            "centre": _numbers(centres[i]),
        }
        for i, name in enumerate(model.names("body"))
    ]


def _joints(model: RecordedModel) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "type": int(model["jnt_type"][i]),
            "qpos": int(model["jnt_qposadr"][i]),
            "body": int(model["jnt_bodyid"][i]),
            "pos": _numbers(model["jnt_pos"][i]),
            "axis": _numbers(model["jnt_axis"][i]),
            "range": _numbers(model["jnt_range"][i]) if model["jnt_limited"][i] else None,
        }
        for i, name in enumerate(model.names("jnt"))
    ]


def _actuators(model: RecordedModel) -> list[dict[str, Any]]:
    """Actuators with the joint they drive and the largest force they can exert on it."""
    found = []
    for i, name in enumerate(model.names("actuator")):
        of_joint = int(model["actuator_trntype"][i]) in (0, 1)
        gear = float(np.atleast_2d(model["actuator_gear"])[i, 0])
        limit = None
        if model["actuator_forcelimited"][i]:
            limit = np.abs(model["actuator_forcerange"][i]).max()
        elif model["actuator_ctrllimited"][i] and not model["actuator_biasprm"][i].any():
            gain = model["actuator_gainprm"][i, 0]
            limit = np.abs(gain * model["actuator_ctrlrange"][i]).max()
        found.append(
            {
                "name": name,
                "joint": int(model["actuator_trnid"][i, 0]) if of_joint else -1,
                "gear": _number(gear),
                "limit": None if limit is None else _number(limit),
            }
        )
    return found


def _geoms(model: RecordedModel) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "body": int(model["geom_bodyid"][i]),
            "type": int(model["geom_type"][i]),
            "size": _numbers(model["geom_size"][i]),
            "pos": _numbers(model["geom_pos"][i]),
            "quat": _numbers(model["geom_quat"][i]),
            "group": int(model["geom_group"][i]),
            "data": int(model["geom_dataid"][i]),
            "material": int(model["geom_matid"][i]),
            "rgba": _numbers(model["geom_rgba"][i], 4),
        }
        for i, name in enumerate(model.names("geom"))
    ]


def _materials(model: RecordedModel) -> list[dict[str, Any]]:
    return [
        {
            "rgba": _numbers(model["mat_rgba"][i], 4),
            "specular": _number(model["mat_specular"][i]),
            "shininess": _number(model["mat_shininess"][i]),
            "emission": _number(model["mat_emission"][i]),
            "texture": _texture_of(model, i),
            "repeat": _numbers(model["mat_texrepeat"][i]),
            "uniform": bool(model["mat_texuniform"][i]),
        }
        for i in range(model.count("nmat"))
    ]


def _texture_of(model: RecordedModel, material: int) -> int:
    roles = np.atleast_2d(model["mat_texid"])[material]
    return next((int(roles[role]) for role in _ROLES if roles[role] >= 0), -1)


def _pixels(model: RecordedModel, texture: int) -> Array:
    """[height, width, channels], uint8; the first row is the lowest, as OpenGL has it."""
    shape = tuple(int(model[f"tex_{n}"][texture]) for n in ("height", "width", "nchannel"))
    start = int(model["tex_adr"][texture])
    return model["tex_data"][start : start + int(np.prod(shape))].reshape(shape)


def _textures(model: RecordedModel, packer: Packer) -> list[dict[str, Any]]:
    found = []
    for i in range(model.count("ntex")):
        pixels = _pixels(model, i)
        told: dict[str, Any] = {"mean": _numbers(pixels.reshape(-1, pixels.shape[2]).mean(0) / 255)}
        if int(model["tex_type"][i]) == _TEXTURE_2D and pixels.shape[2] >= 3:
            every = -(-max(pixels.shape[:2]) // _LARGEST_TEXTURE)
            told["pixels"] = packer.array(_smaller(pixels[:, :, :3], every))
        found.append(told)
    return found


def _smaller(pixels: Array, every: int) -> Array:
    """The mean of each square of `every` pixels."""
    if every == 1:
        return pixels
    height, width = (size // every * every for size in pixels.shape[:2])
    blocks = pixels[:height, :width].reshape(height // every, every, width // every, every, 3)
    return np.asarray(np.rint(blocks.mean(axis=(1, 3))), np.uint8)


def _sky(model: RecordedModel) -> list[list[float]] | None:
    """Colours of zenith and horizon, from the skybox: six faces, one above the other."""
    for i in range(model.count("ntex")):
        if int(model["tex_type"][i]) == _SKYBOX and int(model["tex_nchannel"][i]) >= 3:
            pixels = _pixels(model, i)[:, :, :3] / 255
            face = pixels.shape[1]
            up, front = pixels[2 * face : 3 * face], pixels[4 * face : 5 * face]
            middle = front[face // 2 - 1 : face // 2 + 1] if len(front) else up
            return [_numbers(part.reshape(-1, 3).mean(0), 4) for part in (up, middle)]
    return None


def _meshes(model: RecordedModel, packer: Packer) -> dict[str, Any]:
    kinds = model["geom_type"]
    used = {
        int(mesh)
        for mesh, kind in zip(model["geom_dataid"], kinds, strict=True)
        if int(kind) in _MESH_KINDS and mesh >= 0
    }
    return {str(i): _mesh(model, i, packer) for i in sorted(used)}


def _mesh(model: RecordedModel, i: int, packer: Packer) -> dict[str, Any]:
    """Positions in 65,535 steps of the longest side, normals in 127; one vertex for each pair in use."""

    def rows(of: str, count: str, start: str) -> Array:
        first = int(model[f"mesh_{start}"][i])
        return model[f"mesh_{of}"][first : first + int(model[f"mesh_{count}"][i])]

    points, normals = rows("vert", "vertnum", "vertadr"), rows("normal", "normalnum", "normaladr")
    corners = [rows("face", "facenum", "faceadr"), rows("facenormal", "facenum", "faceadr")]
    textured = int(model["mesh_texcoordnum"][i]) > 0
    if textured:
        corners.append(rows("facetexcoord", "facenum", "faceadr"))
    together = np.stack([part.reshape(-1) for part in corners], axis=1)
    vertices, index = np.unique(together, axis=0, return_inverse=True)
    low = points.min(axis=0)
    step = max(float((points.max(axis=0) - low).max()), 1e-12) / 65535
    told = {
        "low": _numbers(low),
        "step": step,
        "points": packer.array(np.rint((points[vertices[:, 0]] - low) / step).astype(np.uint16)),
        "normals": packer.array(np.rint(normals[vertices[:, 1]] * 127).astype(np.int8)),
        "index": packer.array(
            index.reshape(-1).astype(np.uint16 if len(vertices) < 65536 else np.uint32)
        ),
    }
    if textured:
        uv = rows("texcoord", "texcoordnum", "texcoordadr")[vertices[:, 2]]
        told["uv"] = packer.array(uv.astype(np.float32))
    return told


def _hfields(model: RecordedModel, packer: Packer) -> list[dict[str, Any]]:
    """Heights row by row along x, from -y to y, in 65,535 steps of the elevation."""
    found = []
    for i in range(model.count("nhfield")):
        shape = (int(model["hfield_nrow"][i]), int(model["hfield_ncol"][i]))
        start = int(model["hfield_adr"][i])
        data = model["hfield_data"][start : start + shape[0] * shape[1]].reshape(shape)
        heights = np.rint(np.clip(data, 0, 1) * 65535).astype(np.uint16)
        found.append({"size": _numbers(model["hfield_size"][i]), "heights": packer.array(heights)})
    return found


def describe_overrides(
    overrides: Mapping[str, Mapping[str, Any]], physics: RecordedModel | None
) -> list[dict[str, Any]]:
    """Randomised values of an episode, as a person reads them.

    Returns:
        `field`, `of` (the name of the body, geom …, or its number), `part` (which of its numbers), `value`,
        and `scene`, the value without randomisation, where the model is known.
    """
    found = []
    for field, told in overrides.items():
        plain = None if physics is None else physics.get(field)
        names = _owners(field, physics)
        width = 1 if plain is None or plain.ndim < 2 else int(np.prod(plain.shape[1:]))
        for index, value in zip(told["index"], told["value"], strict=True):
            owner = index // width
            found.append(
                {
                    "field": field,
                    "of": (names[owner] if owner < len(names) else "") or f"#{owner}",
                    "index": index,
                    "part": index % width if width > 1 else None,
                    "value": value,
                    "scene": None
                    if plain is None or index >= plain.size
                    else float(plain.reshape(-1)[index]),
                }
            )
    return found


def _owners(field: str, physics: RecordedModel | None) -> list[str]:
    kind = field.partition("_")[0]
    if physics is None or physics.get(f"name_{kind}adr") is None:
        return []
    return physics.names(kind)


def _number(value: Any) -> float:
    return float(f"{float(value):.9g}")


def _numbers(values: Array, digits: int = 9) -> list[float]:
    return [float(f"{value:.{digits}g}") for value in np.ravel(values).tolist()]
