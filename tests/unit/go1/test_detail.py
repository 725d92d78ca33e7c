from __future__ import annotations

import json

import mujoco
import numpy as np
import pytest

from go1.config import Go1Config
from go1.core import Go1Core
from go1.detail import detailed_info_columns, environment_summary, raw_detail
from go1.detail_columns import derive
from go1.upstream import UpstreamCore
from trackway.format.columns import nest
from trackway.legacy import promised


class StoppedClock:
    """Always the same moment."""

    def unix_s(self) -> float:
        return 1_700_000_000.5

    def monotonic_s(self) -> float:
        return 5.0

    def sleep_s(self, duration_s: float) -> None:
        raise AssertionError("nothing here waits")


def batched(num_envs: int = 3, steps: int = 15, **settings) -> Go1Core:
    core = Go1Core(num_envs, Go1Config(**settings), num_threads=1)
    core.reset(seed=0)
    rng = np.random.default_rng(1)
    for _ in range(steps):
        core.step(0.3 * rng.standard_normal((num_envs, 12)))
    return core


def public(ctrl_type: str = "position", steps: int = 15) -> UpstreamCore:
    core = UpstreamCore(Go1Config(ctrl_type=ctrl_type, physics="upstream"))
    core.rng = np.random.default_rng(0)
    core.restart(np.zeros(1, np.intp))
    for _ in range(steps):
        core.advance(core.model.key_ctrl[0][None])
    return core


@pytest.fixture(
    params=[
        lambda: batched(ctrl_type="position"),
        lambda: batched(ctrl_type="torque", physics="fast", rand_power=0.5),
        lambda: batched(biped=True, steps=5),
        public,
    ],
    ids=["position", "torque", "biped", "upstream"],
)
def core(request):
    return request.param()


def test_every_promised_key_is_there(core):
    record = nest(detailed_info_columns(core), 0)

    assert list(promised.broken(record, promised.DETAIL)) == []
    summary = environment_summary(core)
    assert list(promised.broken(summary, promised.ENVIRONMENT_SUMMARY)) == []


def test_every_column_has_a_row_per_robot(core):
    for columns, n in (
        (detailed_info_columns(core), core.num_envs),
        (detailed_info_columns(core, np.zeros(1, np.intp)), 1),
    ):
        assert {key: len(column) for key, column in columns.items()} == dict.fromkeys(columns, n)


def test_a_record_and_the_summary_are_standard_json(core):
    record = nest(detailed_info_columns(core), 0)

    assert json.loads(json.dumps(record, allow_nan=False)) == record
    summary = environment_summary(core)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_columns_do_not_change_when_the_robots_move_on():
    core = batched()
    columns = detailed_info_columns(core)
    before = {key: np.array(value, dtype=object) for key, value in columns.items()}
    for _ in range(5):
        core.step(np.ones((3, 12)))
    now = detailed_info_columns(core)

    for key, column in columns.items():
        np.testing.assert_array_equal(np.array(column, dtype=object), before[key], err_msg=key)
    assert not np.array_equal(now["robot_state.position.x"], columns["robot_state.position.x"])


def test_chosen_rows_are_the_rows_of_all():
    core = batched(5)
    clock = StoppedClock()
    every = detailed_info_columns(core, clock=clock)
    some = detailed_info_columns(core, np.array([3, 1]), clock=clock)

    assert nest(some, 0) == nest(every, 3)
    assert nest(some, 1) == nest(every, 1)


def test_rows_of_several_moments_are_derived_as_each_moment_by_itself(core):
    clock, moments, raw = StoppedClock(), [], []
    for _ in range(2):
        moments.append(detailed_info_columns(core, clock=clock))
        raw.append({path: array.copy() for path, array in raw_detail(core).arrays.items()})
        core.advance(np.zeros((core.num_envs, 12)))
    told = raw_detail(core)
    stacked = {path: np.concatenate([each[path] for each in raw]) for path in raw[0]}
    times = np.full(2 * core.num_envs, clock.unix_s())
    columns = derive(stacked, told.constants, told.settings, times)

    for i in range(2 * core.num_envs):
        moment, row = moments[i // core.num_envs], i % core.num_envs
        assert nest(columns, i) == nest({path: moment[path] for path in columns}, row)
    assert columns.keys() | told.constants.keys() == moments[0].keys()


def test_the_state_is_in_the_documented_frames():
    core = batched()
    record = nest(detailed_info_columns(core), 2)
    qpos, qvel = core.qpos[2], core.qvel[2]
    data = mujoco.MjData(core.model)
    data.qpos[:], data.qvel[:] = qpos, qvel
    mujoco.mj_forward(core.model, data)
    trunk = data.body("trunk").xmat.reshape(3, 3)
    state, stability = record["robot_state"], record["stability_metrics"]
    world_angular = np.zeros(6)
    mujoco.mj_objectVelocity(
        core.model, data, mujoco.mjtObj.mjOBJ_XBODY, data.body("trunk").id, world_angular, 0
    )

    np.testing.assert_allclose(state["velocity"]["linear"], world_angular[3:], atol=1e-9)
    np.testing.assert_allclose(trunk @ state["velocity"]["angular"], world_angular[:3], atol=1e-9)
    np.testing.assert_allclose(stability["projected_gravity"], trunk.T @ [0, 0, -1], atol=1e-9)
    assert stability["trunk_up_alignment"] == pytest.approx(trunk[2, 2])
    assert state["position"]["distance_from_origin"] == pytest.approx(np.hypot(*qpos[:2]))
    np.testing.assert_array_equal(state["joint_positions"], qpos[7:])
    np.testing.assert_array_equal(state["joint_velocities"], qvel[6:])
    np.testing.assert_array_equal(state["velocity"]["joint"], qvel[6:])


def test_a_first_episode_that_begins_in_its_middle_tells_its_own_time_limit():
    core = batched(4, steps=20)

    for robot, longest_s in enumerate((10.0, 7.5, 5.0, 2.5)):
        record = nest(detailed_info_columns(core), robot)
        episode, performance = record["episode_info"], record["performance_metrics"]
        assert episode["current_step"] == performance["current_step"] == 20
        assert record["reward_info"]["current_episode_length"] == 20
        assert episode["max_episode_time"] == pytest.approx(longest_s)
        assert episode["time_remaining"] == pytest.approx(longest_s - 0.4)
        assert performance["max_steps"] == round(longest_s / 0.02)
        assert performance["episode_progress"] == pytest.approx(0.4 / longest_s)


def test_a_standing_robot_weighs_on_its_feet():
    core = Go1Core(2, Go1Config(ctrl_type="position"), num_threads=1)
    core.reset(seed=0)
    for _ in range(100):
        core.step(np.zeros((2, 12)))
    contact = nest(detailed_info_columns(core), 0)["contact_info"]

    assert sum(contact["feet_contact_forces"]) == pytest.approx(12.743 * 9.81, rel=0.1)
    assert contact["front_feet_contact_forces"] == contact["feet_contact_forces"][:2]
    assert contact["last_contacts"] == [True] * 4
    assert contact["feet_air_time"] == [0.0] * 4


def test_feet_in_the_air_gather_air_time_and_bear_nothing():
    core = Go1Core(1, Go1Config(ctrl_type="position"), num_threads=1)
    core.reset(seed=0)
    core.qpos[:, 2] = 2.0
    for _ in range(5):
        core.step(np.zeros((1, 12)))
    contact = nest(detailed_info_columns(core), 0)["contact_info"]

    assert contact["feet_contact_forces"] == [0.0] * 4
    assert contact["feet_air_time"] == pytest.approx([0.1] * 4)
    assert contact["last_contacts"] == [False] * 4


def test_time_passes_and_progress_grows_with_steps():
    core = Go1Core(1, Go1Config(ctrl_type="position", max_episode_time_sec=4.0), num_threads=1)
    core.reset(seed=0)
    for _ in range(50):
        core.step(np.zeros((1, 12)))
    record = nest(detailed_info_columns(core), 0)
    episode, performance = record["episode_info"], record["performance_metrics"]

    assert episode["current_step"] == 50
    assert episode["max_episode_time"] == pytest.approx(4.0)
    assert episode["time_remaining"] == pytest.approx(3.0)
    assert performance["episode_progress"] == pytest.approx(0.25)
    assert record["simulation_time"] == pytest.approx(1.0)
    assert record["reward_info"]["current_episode_length"] == 50


@pytest.mark.parametrize("steps", [0, 3, 10, 14])
def test_the_balance_history_holds_the_latest_ten_alignments(steps):
    core = batched(steps=0)
    seen = []
    for _ in range(steps):
        core.step(np.zeros((3, 12)))
        seen.append(core.up_z[1])
    history = nest(detailed_info_columns(core), 1)["stability_metrics"]["balance_history"]

    assert history == seen[-10:]


def test_components_of_the_latest_action_sum_to_its_reward(core):
    record = nest(detailed_info_columns(core), 0)["performance_metrics"]
    gained, paid = record["reward_components"], record["cost_components"]

    assert sum(gained.values()) - sum(paid.values()) == pytest.approx(core.reward[0])
    assert min(paid.values()) >= 0


def test_a_level_quiet_trunk_is_stable_and_a_toppled_one_is_not():
    core = batched(2, steps=0, physics="full")
    core.qpos[1, 3:7] = [0, 1, 0, 0]
    core.qvel[:] = 0
    core.motion.update()
    first, second = (nest(detailed_info_columns(core), i)["stability_metrics"] for i in (0, 1))

    assert first["stability_score"] > 0.99
    assert not first["is_flipped_over"]
    assert second["stability_score"] == 0
    assert second["is_flipped_over"]
    assert not second["is_healthy"]
    assert second["projected_gravity"] == pytest.approx([0, 0, 1])


def test_what_is_set_on_a_robot_is_read_back_from_it():
    core = batched(rand_power=0.75, action_noise=0.1)
    core.set_rand_power(0.25, np.array([1]))
    settings = [nest(detailed_info_columns(core), i)["env_config"] for i in range(3)]

    assert [s["rand_power"] for s in settings] == [0.75, 0.25, 0.75]
    assert settings[0]["action_noise_scale"] == 0.1
    np.testing.assert_array_equal([s["desired_velocity"] for s in settings], core.command)


def test_the_last_forces_are_those_of_the_step_before():
    core = batched()
    before = detailed_info_columns(core)["contact_info.feet_contact_forces"]
    core.advance(np.zeros((3, 12)))

    np.testing.assert_array_equal(
        detailed_info_columns(core)["action_info.last_feet_contact_forces"], before
    )


def test_the_clock_stamps_every_robot():
    columns = detailed_info_columns(batched(), clock=StoppedClock())

    assert columns["timestamp"].tolist() == [1_700_000_000.5] * 3
    assert (
        environment_summary(batched(steps=0), clock=StoppedClock())["timestamp"] == 1_700_000_000.5
    )


def test_the_summary_tells_one_environment_from_another():
    position, torque, upstream = (
        environment_summary(c)
        for c in (batched(steps=0), batched(steps=0, ctrl_type="torque"), public(steps=0))
    )

    assert position["model_hash"] != torque["model_hash"] != upstream["model_hash"]
    assert position["dt"] == torque["dt"] == upstream["dt"] == pytest.approx(0.02)
    assert (position["frame_skip"], upstream["frame_skip"]) == (4, 10)
    assert position["observation_space"]["shape"] == [50]
    assert upstream["observation_space"] == {
        "type": "Box",
        "shape": [48],
        "dtype": "float64",
        "low": None,
        "high": None,
    }
    assert upstream["desired_velocity_min"] == [0.5, 0.0, 0.0]
    assert upstream["gravity_vector"] == [0.0, 0.0, -9.81]
    assert upstream["feet_site_names"] == ["FR", "FL", "RR", "RL"]
