import numpy as np
import pytest

from trackway.frameworks.sb3.episodes import Episodes


def step(episodes: Episodes, rewards, dones, infos, timestep=1):
    episodes.step(np.array(rewards), infos)
    return episodes.end(np.array(dones), infos, timestep, 5.0)


def test_an_episode_is_counted_from_its_rewards_where_nobody_else_counts():
    episodes = Episodes(2)
    step(episodes, [1.0, 10.0], [False, False], [{}, {}])
    [record] = step(episodes, [2.0, 20.0], [True, False], [{"TimeLimit.truncated": True}, {}], 4)

    assert (record["env_id"], record["timestep"], record["episode_count"]) == (0, 4, 1)
    assert (record["episode_return"], record["episode_length"]) == (3.0, 2)
    assert record["termination_reason"] == "truncated"
    assert (episodes.returns.tolist(), episodes.lengths.tolist()) == ([0.0, 30.0], [0, 2])


def test_the_monitor_knows_better():
    [record] = step(Episodes(1), [1.0], [True], [{"episode": {"r": 7.5, "l": 3, "t": 1.0}}])

    assert (record["episode_return"], record["episode_length"]) == (7.5, 3)
    assert record["termination_reason"] == "terminated"


def test_success_is_unknown_until_an_environment_speaks_of_it():
    episodes = Episodes(1)
    [silent] = step(episodes, [1.0], [True], [{}])
    [spoken] = step(episodes, [1.0], [True], [{"is_success": np.bool_(True)}])

    assert (silent["success_count"], silent["success_rate"]) == (None, None)
    assert (spoken["success_count"], spoken["success_rate"], spoken["is_success"]) == (1, 0.5, True)


def test_parts_of_a_reward_are_summed_over_the_episode():
    episodes = Episodes(1)
    parts = {"reward_run": 1.0, "reward_ctrl": np.float32(-0.5), "cost_fall": 2, "x_position": 9.0}
    step(episodes, [0.5], [False], [parts])
    [record] = step(episodes, [0.5], [True], [parts])

    assert record["reward_components"] == {"run": 2.0, "ctrl": -1.0}
    assert record["cost_components"] == {"fall": 4.0}


def test_recent_means_are_over_episodes_not_over_steps():
    episodes = Episodes(1)
    for reward in (1.0, 3.0):
        info = {"is_success": reward > 2, "reward_components": {"a": reward}, "cost_components": {}}
        step(episodes, [reward], [True], [info])
        step(episodes, [0.0], [False], [{}])
        episodes.begin()

    metrics = episodes.recent_metrics()
    assert metrics["recent_episodes_count"] == 2
    assert metrics["recent_episode_return_mean"] == pytest.approx(2.0)
    assert (metrics["recent_success_rate_avg"], metrics["recent_success_rate_std"]) == (0.5, 0.5)
    assert metrics["reward_components"] == {"a": 2.0}


def test_counts_go_on_in_another_process():
    episodes = Episodes(2)
    step(episodes, [1.0, 1.0], [True, True], [{"is_success": True}, {"is_success": False}])
    again, other = Episodes(2), Episodes(3)
    again.restore(episodes.state())
    other.restore(episodes.state())

    assert again.state() == episodes.state()
    assert (other.counts.sum(), other.successes.sum()) == (2, 1)
