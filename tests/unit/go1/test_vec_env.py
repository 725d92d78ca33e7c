import numpy as np
import pytest
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecNormalize

from go1.config import Go1Config
from go1.robot import NUM_JOINTS
from go1.vec_env import Go1VecEnv

N = 4


@pytest.fixture
def envs():
    envs = Go1VecEnv(N, Go1Config(max_episode_time_sec=0.4), seed=0)
    envs.reset()
    yield envs
    envs.close()


def _step(envs, times=1):
    return [envs.step(np.zeros((N, NUM_JOINTS), np.float32)) for _ in range(times)]


def test_spaces_hold_what_goes_in_and_out(envs):
    obs = envs.reset()

    assert obs.shape == (N, *envs.observation_space.shape)
    assert obs.dtype == envs.observation_space.dtype
    assert all(envs.observation_space.contains(row) for row in obs)
    assert envs.action_space.shape == (NUM_JOINTS,)


def test_only_finished_robots_have_infos_and_the_others_stay_empty(envs):
    for _obs, _reward, dones, infos in _step(envs, 45):
        assert [bool(info) for info in infos] == dones.tolist()


def test_an_episodes_info_tells_how_it_went_and_where_it_ended(envs):
    steps = _step(envs, 20)
    obs, _, _, infos = steps[-1]
    info = infos[0]

    assert [bool(dones[0]) for _, _, dones, _ in steps] == [False] * 19 + [True]
    assert info["episode"]["r"] == pytest.approx(sum(float(step[1][0]) for step in steps), rel=1e-4)
    assert info["episode"]["l"] == 20
    assert info["TimeLimit.truncated"] is True
    assert info["termination_reason"] == "time_limit"
    assert info["is_success"] in (True, False)
    assert sum(info["reward_components"].values()) - sum(
        info["cost_components"].values()
    ) == pytest.approx(info["episode"]["r"])
    assert info["detailed_info"]["episode_info"]["current_step"] == 20
    assert not np.array_equal(info["terminal_observation"], obs[0])
    # the terminal observation is of the recorded state: world up, third component
    assert info["detailed_info"]["stability_metrics"]["trunk_up_alignment"] == pytest.approx(
        float(info["terminal_observation"][8]), abs=1e-6
    )


def test_a_fall_is_no_truncation(envs):
    envs.core.qpos[1, 3:7] = 0, 1, 0, 0
    *_, dones, infos = _step(envs)[0]

    assert dones.tolist() == [False, True, False, False]
    assert infos[1]["termination_reason"] == "fell"
    assert infos[1]["TimeLimit.truncated"] is False
    assert infos[1]["is_success"] is False


def test_observations_handed_out_are_not_written_again(envs):
    first = envs.reset()
    copy = first.copy()
    _step(envs, 3)

    np.testing.assert_array_equal(first, copy)


def test_a_seed_counts_from_the_next_reset_and_only_once(envs):
    envs.seed(7)
    first, second = envs.reset(), envs.reset()
    envs.seed(7)

    np.testing.assert_array_equal(envs.reset(), first)
    assert not np.array_equal(first, second)


def test_the_curriculum_reaches_the_robots_and_is_read_back_from_them(envs):
    envs.env_method("set_rand_power", 0.5, indices=[0, 2])
    assert envs.get_attr("rand_power") == [0.5, 0.0, 0.5, 0.0]

    envs.set_attr("rand_power", 0.25)
    assert envs.core.rand_power.tolist() == [0.25] * N

    envs.set_attr("action_noise", 0.1, indices=3)
    assert envs.get_attr("action_noise") == [0.0, 0.0, 0.0, 0.1]
    with pytest.raises(ValueError, match="rand_power must be a number from 0 to 1; got 2"):
        envs.set_attr("rand_power", 2)


def test_what_a_robot_does_not_have_is_said(envs):
    with pytest.raises(AttributeError, match="has no attribute 'wheels'"):
        envs.get_attr("wheels")
    with pytest.raises(AttributeError, match="'model' of a robot cannot be set"):
        envs.set_attr("model", None)
    with pytest.raises(AttributeError, match="has no method 'fly'"):
        envs.env_method("fly")


@pytest.mark.parametrize(
    "name", ["get_detailed_episode_info", "get_environment_summary", "get_performance_metrics"]
)
def test_a_robots_methods_are_found_before_they_are_called(envs, name):
    assert envs.has_attr(name)
    of_the_second = envs.get_attr(name)[1]()

    assert of_the_second.keys() == envs.env_method(name, indices=1)[0].keys()


def test_a_robots_own_method_reaches_that_robot_alone(envs):
    envs.get_attr("set_rand_power")[1](0.25)

    assert envs.get_attr("rand_power")[:2] == [0.0, 0.25]


def test_recorders_find_detail_model_and_motion_of_every_robot(envs):
    _step(envs, 2)
    details = envs.env_method("get_detailed_episode_info")

    assert [d["episode_info"]["current_step"] for d in details] == [2, 2, 2, 2]
    metrics = envs.env_method("get_performance_metrics")[0]
    assert metrics | {"timestamp": 0} == details[0]["performance_metrics"] | {"timestamp": 0}
    assert envs.env_method("get_environment_summary")[0]["dt"] == pytest.approx(0.02)
    assert envs.qpos.shape == (N, envs.model.nq)
    assert envs.render_model().nq == envs.model.nq
    assert envs.get_attr("ctrl_type") == ["position"] * N
    assert envs.env_is_wrapped(Monitor) == [True] * N
    columns = envs.detailed_info_columns()
    assert all(len(column) == N for column in columns.values())


def test_columns_of_detail_do_not_change_afterwards(envs):
    columns = envs.detailed_info_columns()
    kept = {key: np.array(value, dtype=object) for key, value in columns.items()}
    _step(envs, 3)

    assert all(np.array_equal(columns[k], kept[k]) for k in columns if not k.endswith("history"))


def test_a_single_robot_serves_too():
    envs = Go1VecEnv(1, Go1Config(max_episode_time_sec=0.2), seed=0)
    envs.reset()
    for _ in range(10):
        _, _, dones, infos = envs.step(np.zeros((1, NUM_JOINTS)))

    assert dones[0]
    assert infos[0]["episode"]["l"] == 10


def test_sb3s_wrappers_go_around_it():
    envs = VecNormalize(Go1VecEnv(2, Go1Config(max_episode_time_sec=0.1), seed=0))
    envs.reset()
    for _ in range(6):
        obs, *_ = envs.step(np.zeros((2, NUM_JOINTS)))

    assert np.isfinite(obs).all()
    assert envs.get_attr("rand_power") == [0.0, 0.0]
