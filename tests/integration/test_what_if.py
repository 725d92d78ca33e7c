"""An episode is simulated again: as it was, bit for bit, and as it would have been."""

import dataclasses
import shutil
from functools import partial

import mujoco
import numpy as np
import pytest
from tests.support.go1_runs import short_go1_run
from tests.support.sliding_ball import SlidingBall
from tests.support.standing import drive as drive_standing

from go1.config import Go1Config
from go1.driving import drive
from go1.env import Go1MujocoEnv
from trackway import Recorder
from trackway.errors import RepeatError, SceneError
from trackway.gymnasium import RecordEnv
from trackway.replay.library import Library
from trackway.replay.resimulate import Changes, resimulate
from trackway.replay.simulation import INPUTS
from trackway.replay.what_if import Policy, what_if
from trackway.sb3 import load_policy
from trackway.storage.places import scenes_folder


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "walk"
    return Library(short_go1_run(folder, num_envs=2, rows=96, checkpoint_every=96))


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


SETTINGS = Go1Config(max_episode_time_sec=0.8, rand_power=1.0, push_interval_sec=0.2)


@pytest.fixture(scope="module")
def driven(library, tmp_path_factory):
    """An episode of a robot that a checkpoint's policy drove, pushed and randomised."""
    checkpoint = min((library.run / "checkpoints").glob("*.zip"))
    folder = tmp_path_factory.mktemp("runs") / "driven"
    robot = Go1MujocoEnv.from_config(SETTINGS)
    policy = load_policy(checkpoint, robot.observation_space, robot.action_space)
    env = RecordEnv(robot, Recorder(folder))
    obs, _ = env.reset(seed=5)
    ended = False
    while not ended:
        obs, _, terminated, truncated, _ = env.step(policy(obs[None])[0])
        ended = terminated or truncated
    env.close()
    return Library(folder), Policy(
        "go1.driving:drive", checkpoint, {"env": dataclasses.asdict(SETTINGS)}
    )


def test_the_policy_that_drove_it_drives_it_again_to_the_last_bit(driven):
    library, policy = driven
    recorded = library.trajectory(library.index.find("0:0"))
    again = what_if(library, "0:0", Changes(), policy)

    assert recorded.columns["push"].any()
    np.testing.assert_array_equal(again.columns["qpos"], recorded.columns["qpos"])
    assert again.episode.last_row == recorded.episode.last_row
    told = recorded.episode.record
    assert again.episode.record == {n: told[n] for n in ("termination_reason", "length")}


def test_who_drives_may_go_on_where_the_recorded_robot_fell(library):
    trajectory = library.trajectory(library.index.find("1"))
    model = mujoco.MjModel.from_binary_path(
        str(scenes_folder(library.run) / f"{trajectory.scene['physics']}.mjb")
    )

    stand = partial(drive_standing, checkpoint=None, start=trajectory.start, config={})
    inputs = {name: c for name, c in trajectory.columns.items() if name in INPUTS}
    substeps = trajectory.scene["substeps"]
    found = resimulate(model, trajectory.start, inputs, substeps, Changes(), stand, 500)

    assert len(trajectory) < 50
    assert len(found["qpos"]) == 50
    assert found["ended"].tolist() == ["tired"]


@pytest.mark.parametrize(
    ("config", "start", "says"),
    [
        ({}, {}, "how its robots were set up"),
        ({"env": {"physics": "upstream"}}, {}, "upstream"),
        ({"env": {}}, {"command": [0.0, 0.0, 0.0]}, "gait's clock"),
    ],
)
def test_a_record_that_tells_too_little_is_said(config, start, says, tmp_path):
    with pytest.raises(ValueError, match=says):
        drive(None, None, checkpoint=tmp_path / "none.zip", start=start, config=config)


def test_what_fails_in_the_child_is_one_sentence(library):
    nobody = Policy("tests.support.sliding_ball:nobody", library.run / "none.zip", {})
    with pytest.raises(RepeatError, match=r"^it cannot be simulated again: .*nobody") as raised:
        what_if(library, "1", Changes(), nobody)

    assert raised.value.code == "failed"


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
