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
from trackway.replay.changes import Changes
from trackway.replay.library import Library
from trackway.replay.resimulate import resimulate
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


def _simulated(library, changes, first=0, number="1", **given):
    """What the child process does, here."""
    trajectory = library.trajectory(library.index.find(number))
    digest = trajectory.scene["physics"]
    model = mujoco.MjModel.from_binary_path(str(scenes_folder(library.run) / f"{digest}.mjb"))
    columns = trajectory.columns
    inputs = {name: columns[name] for name in INPUTS if name in columns}
    before = {name: column[first - 1] for name, column in columns.items()} if first else {}
    given = {"first": first, "before": before} | given
    return resimulate(
        model, trajectory.start, inputs, trajectory.scene["substeps"], changes, **given
    )


def test_without_changes_it_is_the_recorded_episode_to_the_last_bit(library):
    again = what_if(library, "1", Changes())

    assert again.exact
    np.testing.assert_array_equal(again.trajectory.columns["qpos"], _recorded(library))


def test_from_a_moment_on_without_changes_it_is_the_recorded_episode_to_the_last_bit(library):
    recorded = _recorded(library)
    again = what_if(library, "1", Changes(), from_s=0.24)
    late = what_if(library, "1", Changes(), from_s=1e6)

    assert (again.first, again.exact) == (12, True)
    assert (late.first, late.exact) == (len(recorded) - 1, True)
    for each in (again, late):
        np.testing.assert_array_equal(each.trajectory.columns["qpos"], recorded)


@pytest.mark.parametrize(
    "changes", [Changes(friction=0.2), Changes(mass_kg=3.0), Changes(gravity=0.5)]
)
def test_other_physics_moves_the_robot_elsewhere(library, changes):
    other = _simulated(library, changes)["qpos"]
    same = min(len(other), len(_recorded(library)))

    assert np.abs(other[:same] - _recorded(library)[:same]).max() > 1e-3


def test_a_push_is_felt_from_its_instant_on(library):
    recorded = _recorded(library)
    pushed = _simulated(library, Changes(push=(0.0, 0.8), push_s=0.2))["qpos"]

    np.testing.assert_array_equal(pushed[:10], recorded[:10])
    assert (pushed[10] != recorded[10]).any()
    assert pushed[14, 1] - recorded[14, 1] > 0.02


@pytest.mark.parametrize(
    "changes",
    [Changes(friction=0.2), Changes(mass_kg=3.0), Changes(gravity=0.5), Changes(push=(0.0, 0.8))],
)
def test_what_is_different_from_a_moment_on_is_as_recorded_until_then(library, changes):
    first, recorded = 10, _recorded(library)
    other = what_if(library, "1", changes, from_s=first * 0.02)
    qpos = other.trajectory.columns["qpos"]
    # The other half: from the start on, this would be different before.
    whole = _simulated(library, changes)["qpos"]

    assert other.exact
    np.testing.assert_array_equal(qpos[:first], recorded[:first])
    assert (qpos[first] != recorded[first]).any()
    assert (whole[first - 1] != recorded[first - 1]).any()


def test_a_push_comes_so_long_after_the_moment(library):
    recorded = _recorded(library)
    pushed = _simulated(library, Changes(push=(0.0, 0.8), push_s=0.1), first=8)["qpos"]

    np.testing.assert_array_equal(pushed[:5], recorded[8:13])
    assert (pushed[5] != recorded[13]).any()


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
    np.testing.assert_array_equal(again.trajectory.columns["qpos"], recorded.columns["qpos"])
    assert again.trajectory.episode.last_row == recorded.episode.last_row
    told = recorded.episode.record
    ended = {name: told[name] for name in ("termination_reason", "length")}
    assert again.trajectory.episode.record == ended


def test_the_policy_that_drove_it_takes_over_at_any_moment_to_the_last_bit(driven):
    library, policy = driven
    recorded = library.trajectory(library.index.find("0:0"))
    states = recorded.columns["qpos"]
    for first in (1, 7, len(states) - 1):
        found = _simulated(
            library,
            Changes(),
            first,
            "0:0",
            drive=partial(drive, checkpoint=policy.checkpoint, config=policy.config),
            most_rows=500,
        )

        assert found["exact"]
        np.testing.assert_array_equal(found["qpos"], states[first:])
        assert found["ended"] == recorded.episode.record["termination_reason"]


def test_who_takes_over_sees_what_the_robot_saw_noise_of_its_action_included(driven, tmp_path):
    _, policy = driven
    settings = dataclasses.replace(SETTINGS, action_noise=0.3)
    robot = Go1MujocoEnv.from_config(settings)
    act = load_policy(policy.checkpoint, robot.observation_space, robot.action_space)
    env = RecordEnv(robot, Recorder(tmp_path), obs=True)
    obs, _ = env.reset(seed=5)
    for _ in range(6):
        obs, *_ = env.step(act(obs[None])[0])
    env.close()

    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "go1.driving.load_policy",
            lambda *_: lambda obs: seen.append(obs[0].copy()) or obs[:, :12],
        )
        taking_over = partial(
            drive, checkpoint=policy.checkpoint, config={"env": dataclasses.asdict(settings)}
        )
        library = Library(tmp_path)
        _simulated(library, Changes(), 5, "0:0", drive=taking_over, most_rows=1)

    steps = library.trajectory(library.index.find("0:0"))
    assert np.abs(steps.columns["action"][4] - seen[0][33:45]).max() > 0.01
    np.testing.assert_array_equal(seen[0], steps.columns["obs"][4])


def test_who_drives_may_go_on_where_the_recorded_robot_fell(library):
    trajectory = library.trajectory(library.index.find("1"))
    model = mujoco.MjModel.from_binary_path(
        str(scenes_folder(library.run) / f"{trajectory.scene['physics']}.mjb")
    )

    stand = partial(drive_standing, checkpoint=None, config={})
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
    np.testing.assert_array_equal(again.trajectory.columns["qpos"], _recorded(library, "0:0"))


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    """A ball that a hand has stopped, which nothing recorded: what is simulated rolls on."""
    folder = tmp_path_factory.mktemp("runs") / "held"
    ball = SlidingBall()
    env = RecordEnv(ball, Recorder(folder))
    env.reset()
    for step in range(12):
        if step == 4:
            ball.data.qvel[0] = 0.0
        env.step(np.array([0.5 if step < 4 else -0.5], np.float32))
    env.close()
    return Library(folder)


def test_where_the_simulation_does_not_come_to_the_record_the_recorded_state_is_put_in(held):
    recorded = _recorded(held, "0:0")
    again = what_if(held, "0:0", Changes(), from_s=8 * 0.05)
    lost = what_if(held, "0:0", Changes())

    assert (again.first, again.exact) == (8, False)
    np.testing.assert_array_equal(again.trajectory.columns["qpos"][:8], recorded[:8])
    np.testing.assert_allclose(again.trajectory.columns["qpos"], recorded, atol=1e-12)
    assert np.abs(lost.trajectory.columns["qpos"] - recorded).max() > 0.1
    # Before the hand it leads where it led.
    assert what_if(held, "0:0", Changes(), from_s=3 * 0.05).exact


def test_a_state_that_was_not_recorded_cannot_be_put_in(held):
    trajectory = held.trajectory(held.index.find("0:0"))
    before = {"qpos": trajectory.columns["qpos"][7]}

    with pytest.raises(SceneError, match=r"cannot begin there: .* \(qvel\) was not recorded"):
        _simulated(held, Changes(), 8, "0:0", before=before)


def test_an_episode_whose_model_is_gone_says_so(library, tmp_path):
    shutil.copytree(library.run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "realtime_data" / "scenes")

    with pytest.raises(SceneError, match="motion cannot be shown"):
        what_if(Library(tmp_path / "run"), "1", Changes())
