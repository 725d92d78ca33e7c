"""Writes the golden files of the Go1's physics; run it when a change of the physics is meant.

    python -m tests.golden.go1.regenerate

`models.json` holds the fields that move the robot, per preset; `trajectory.json` where the upstream
preset goes under a fixed sequence of targets. Both upstream presets and the trajectory agreed with
the public model (nimazareian/quadruped-rl-locomotion) to the last bit when they were written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from go1.model import build_model
from go1.presets import PRESETS

HERE = Path(__file__).parent
MODELS = HERE / "models.json"
TRAJECTORY = HERE / "trajectory.json"

_OPTIONS = ("timestep", "integrator", "solver", "iterations", "cone", "impratio")
_FIELDS = (
    *("body_mass", "body_pos", "body_ipos", "body_iquat", "body_inertia", "qpos0"),
    *("jnt_range", "dof_armature", "dof_damping", "dof_frictionloss"),
    *("actuator_gear", "actuator_gainprm", "actuator_biasprm", "actuator_forcerange"),
    *("actuator_ctrlrange", "actuator_ctrllimited"),
    *("geom_size", "geom_pos", "geom_contype", "geom_conaffinity", "geom_condim"),
    *("geom_friction", "geom_margin", "geom_solimp", "geom_priority"),
    *("key_qpos", "key_ctrl"),
)


def describe(model: mujoco.MjModel) -> dict[str, Any]:
    """What decides how the robot moves; of parameter vectors only the part in use."""
    fields = {name: np.asarray(getattr(model, name), float) for name in _FIELDS}
    fields["actuator_gear"] = fields["actuator_gear"][:, 0]
    fields["actuator_gainprm"] = fields["actuator_gainprm"][:, 0]
    fields["actuator_biasprm"] = fields["actuator_biasprm"][:, :3]
    return {
        "mass": float(model.body_mass.sum()),
        "options": {name: float(getattr(model.opt, name)) for name in _OPTIONS},
        "fields": {name: np.round(value, 12).tolist() for name, value in fields.items()},
    }


def describe_all() -> dict[str, Any]:
    return {
        f"{physics}/{ctrl_type}": describe(build_model(ctrl_type, physics))
        for physics, ctrl_type in PRESETS
    }


def trajectory(num_actions: int = 25) -> list[list[float]]:
    """qpos every fifth action of half a second: it drops, lands, and shifts its weight."""
    model = build_model("position", "upstream")
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    rows = []
    for k in range(num_actions):
        data.ctrl[:] = model.key_ctrl[0] + 0.15 * np.sin(0.3 * k + np.arange(12))
        mujoco.mj_step(model, data, nstep=10)
        if k % 5 == 4:
            rows.append(data.qpos.tolist())
    return rows


def main() -> None:
    models = {name: _one_field_a_line(record) for name, record in describe_all().items()}
    body = ",\n".join(f'"{name}": {text}' for name, text in models.items())
    MODELS.write_text(f"{{\n{body}\n}}\n")
    rows = ",\n".join(json.dumps(row) for row in trajectory())
    TRAJECTORY.write_text(f"[\n{rows}\n]\n")


def _one_field_a_line(record: dict[str, Any]) -> str:
    fields = ",\n".join(f'  "{k}": {json.dumps(v)}' for k, v in record["fields"].items())
    head = f'"mass": {json.dumps(record["mass"])}, "options": {json.dumps(record["options"])}'
    return f'{{{head}, "fields": {{\n{fields}\n}}}}'


if __name__ == "__main__":
    main()
