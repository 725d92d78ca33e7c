"""Wrote `v2.parquet` and the model beside it, once. They stay as they are."""

import shutil
import sys
import tempfile
from pathlib import Path

import mujoco
import numpy as np

from trackway import Field, Recorder, Schema
from trackway.probes.scene import save_scene
from trackway.replay import resim
from trackway.storage.archive.compact import compact_run
from trackway.storage.places import attempts, scenes_folder

# No constraint and no sine: additions and multiplications, which every processor does alike.
CART = """
<mujoco>
  <option timestep="0.01" integrator="Euler"/>
  <worldbody>
    <body><joint name="x" type="slide" axis="1 0 0" damping="0.5"/><geom size=".2" mass="3"/></body>
  </worldbody>
  <actuator><motor joint="x" gear="10"/></actuator>
</mujoco>"""
SCHEMA = Schema(
    Field("qpos", "float64", (1,), "m"),
    Field("qvel", "float64", (1,), "m/s"),
    Field("ctrl", "float64", (1,), "N"),
    Field("push", "float64", (2,), "m/s"),
    Field("action", "float32", (1,), "1"),
    Field("reward", "float32", (), "1"),
)
NUM_ENVS, ROWS, EPISODE = 2, 300, 290


def main(part: Path) -> None:
    luck = np.random.default_rng(0)
    model = mujoco.MjModel.from_xml_string(CART)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        digest = save_scene(scenes_folder(run), model)
        with Recorder(run, compact=False) as recorder:
            recorder.records("events").append({"event": "scene", "physics": digest, "substeps": 3})
            starts = recorder.records("starts")
            steps = recorder.stream("steps", SCHEMA, NUM_ENVS)
            robots = [mujoco.MjData(model) for _ in range(NUM_ENVS)]
            for row in range(ROWS):
                action = luck.uniform(-1, 1, (NUM_ENVS, 1)).astype(np.float32)
                ctrl = action.astype(np.float64) * 0.5 + 0.1
                for env, data in enumerate(robots):
                    if row % EPISODE == 0:
                        mujoco.mj_resetData(model, data)
                        data.qpos[0] = env
                        starts.append({"row": row, "env": env, "start": {"qpos": [float(env)]}})
                    data.ctrl[:] = ctrl[env]
                    mujoco.mj_step(model, data, 3)
                steps.write(
                    {
                        "qpos": [data.qpos for data in robots],
                        "qvel": [data.qvel for data in robots],
                        "ctrl": ctrl,
                        "push": np.zeros((NUM_ENVS, 2)),
                        "action": action,
                        "reward": luck.normal(size=NUM_ENVS).astype(np.float32),
                    }
                )
        compact_run(run)
        resim._WORTH = 10.0  # of so few rows the part's own description is most
        (made,) = resim.to_resim(attempts(run)[0].stream("steps"))
        shutil.copy(made.path, part)
        shutil.copy(scenes_folder(run) / f"{digest}.mjb", part.parent)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
