"""An episode is simulated again: as it was, bit for bit, and as it would have been."""

import shutil

import mujoco
import numpy as np
import pytest
from tests.support.go1_runs import short_go1_run
from tests.support.sliding_ball import SlidingBall

from trackway import Recorder
from trackway.errors import SceneError
from trackway.gymnasium import RecordEnv
from trackway.replay.library import Library
from trackway.replay.resimulate import INPUTS, Changes, resimulate
from trackway.replay.what_if import what_if
from trackway.storage.places import scenes_folder


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return Library(short_go1_run(tmp_path_factory.mktemp("runs") / "walk", num_envs=2, rows=96))


def _recorded(library, number="1"):
    return library.trajectory(library.index.find(number)).columns["qpos"]


def _simulated(library, changes):
    """What the child process does, here."""
    trajectory = library.trajectory(library.index.find("1"))
    digest = trajectory.scene["physics"]
    model = mujoco.MjModel.from_binary_path(str(scenes_folder(library.run) / f"{digest}.mjb"))
    columns = trajectory.columns
    inputs = {name: columns[name] for name in INPUTS if name in columns}
    return resimulate(model, trajectory.start, inputs, trajectory.scene["substeps"], changes)[
        "qpos"
    ]


def test_without_changes_it_is_the_recorded_episode_to_the_last_bit(library):
    again = what_if(library, "1", Changes())

    np.testing.assert_array_equal(again.columns["qpos"], _recorded(library))


@pytest.mark.parametrize(
    "changes", [Changes(friction=0.2), Changes(mass_kg=3.0), Changes(gravity=0.5)]
)
def test_other_physics_moves_the_robot_elsewhere(library, changes):
    other = _simulated(library, changes)
    same = min(len(other), len(_recorded(library)))

    assert np.abs(other[:same] - _recorded(library)[:same]).max() > 1e-3


def test_a_push_is_felt_from_its_instant_on(library):
    recorded = _recorded(library)
    pushed = _simulated(library, Changes(push=(0.0, 0.8), push_s=0.2))

    np.testing.assert_array_equal(pushed[:10], recorded[:10])
    assert (pushed[10] != recorded[10]).any()
    assert pushed[14, 1] - recorded[14, 1] > 0.02


def test_any_simulation_can_be_asked(tmp_path):
    env = RecordEnv(SlidingBall(), Recorder(tmp_path))
    env.reset()
    for _ in range(5):
        env.step(np.array([0.5], np.float32))
    env.close()
    library = Library(tmp_path)

    again = what_if(library, "0:0", Changes())
    np.testing.assert_array_equal(again.columns["qpos"], _recorded(library, "0:0"))


def test_an_episode_whose_model_is_gone_says_so(library, tmp_path):
    shutil.copytree(library.run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "realtime_data" / "scenes")

    with pytest.raises(SceneError, match="motion cannot be shown"):
        what_if(Library(tmp_path / "run"), "1", Changes())
