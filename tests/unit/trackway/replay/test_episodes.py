"""Episodes are found by every name that a person has for them, while training runs and later."""

import numpy as np
import pytest
from tests.support.go1_runs import short_go1_run
from tests.support.sliding_ball import SlidingBall

from trackway import Recorder, read, read_records
from trackway.errors import EpisodeError, StreamError
from trackway.gymnasium import RecordEnv
from trackway.replay.episodes import EpisodeIndex, Window
from trackway.replay.trajectory import load


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return short_go1_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def index(run):
    return EpisodeIndex(run)


def test_every_recorded_episode_is_found_by_number_and_key(run, index):
    records = read_records(run, "episodes")

    assert len(index) == len(records) > 10
    for number, record in enumerate(records):
        episode = index[number]
        assert episode.record == record
        assert (episode.env, episode.episode) == (record["env"], record["episode"])
        assert episode.last_row == record["row"]
        assert episode.last_row - episode.first_row + 1 == record["length"]
        assert index.find(episode.key) == episode == index.find(str(number))
        assert index.find(f"{episode.env}:{episode.episode}") == episode


def test_its_trajectory_is_what_was_recorded_start_included(run, index):
    steps, starts = read(run, "steps"), read_records(run, "starts")
    for number in range(len(index)):
        episode = index[number]
        trajectory = load(index.attempts[0], episode)
        rows = slice(episode.first_row, episode.last_row + 1)

        for name, column in trajectory.columns.items():
            np.testing.assert_array_equal(column, steps[name][rows, episode.env])
        (start,) = [
            s["start"] for s in starts if (s["env"], s["episode"]) == (episode.env, episode.episode)
        ]
        assert trajectory.start == start
        assert trajectory.frames.tolist() == list(range(len(trajectory) + 1))
        np.testing.assert_array_equal(trajectory.qpos[0], start["qpos"])
        np.testing.assert_array_equal(trajectory.qpos[1:], trajectory.columns["qpos"])


def test_a_timestep_leads_to_the_episode_that_an_environment_was_in(index):
    for timestep in (1, 60, 400, 700):
        for env in range(4):
            episode = index.find(f"@{timestep}:{env}")
            row = -(-timestep // 4) - 1

            assert episode.env == env
            assert episode.first_row <= row <= episode.last_row


def test_an_episode_that_has_not_ended_is_shown_as_far_as_it_went(run, index):
    starts = read_records(run, "starts")
    last = max(starts, key=lambda start: start["row"] * (start["row"] < 192))
    if last["row"] >= 192:
        pytest.skip("every episode ended with the training")
    env = next(s["env"] for s in reversed(starts) if s["row"] < 192 and s["env"] == last["env"])
    running = max(s["episode"] for s in starts if s["env"] == env)
    episode = index.find(f"{env}:{running}")

    assert episode.record is None
    assert episode.last_row == 191
    assert len(load(index.attempts[0], episode)) == 192 - episode.first_row


def test_worst_median_and_best_are_those_of_the_window(run, index):
    records = read_records(run, "episodes")
    ended = [r for r in records if 200 < r["timestep"] <= 600]
    returns = sorted(r["return"] for r in ended)
    picked = index.extremes(Window(200, 600))

    assert picked["worst"].record["return"] == returns[0]
    assert picked["best"].record["return"] == returns[-1]
    assert picked["median"].record["return"] == returns[(len(returns) - 1) // 2]


def test_an_empty_window_gives_the_nearest_episode(index):
    first = index[0]
    picked = index.extremes(Window(0, first.record["timestep"] - 1))

    assert {episode.key for episode in picked.values()} == {first.key}


def test_only_episodes_that_ended_so_are_listed(run, index):
    fell = [
        n
        for n, r in enumerate(read_records(run, "episodes"))
        if r["termination_reason"] == "fell" and r["timestep"] > 100
    ]

    assert index.numbers(Window(begin=100), reason="fell").tolist() == fell
    assert index.numbers(Window(), reason="flew away").tolist() == []


def test_evolution_rises_through_the_training(index):
    timesteps = [episode.record["timestep"] for episode in index.evolution()]

    assert len(timesteps) == 5
    assert timesteps == sorted(timesteps)


@pytest.mark.parametrize("wanted", ["999999", "9:9", "nonsense", "002-none:0:0", "@1:77"])
def test_what_does_not_exist_is_said(index, wanted):
    with pytest.raises(EpisodeError, match="there is no episode"):
        index.find(wanted)


def test_a_folder_without_recordings_is_refused(tmp_path):
    with pytest.raises(StreamError, match="holds no recorded episodes"):
        EpisodeIndex(tmp_path)


def test_a_loop_of_ones_own_has_episodes_too(tmp_path):
    env = RecordEnv(SlidingBall(), Recorder(tmp_path))
    for _ in range(3):
        env.reset()
        ended = False
        while not ended:
            *_, terminated, truncated, _ = env.step(np.array([1.0], np.float32))
            ended = terminated or truncated
    env.close()
    index = EpisodeIndex(tmp_path)
    trajectory = load(index.attempts[0], index.find("latest"))

    assert len(index) == 3
    assert index.find("@1").episode == 0
    assert trajectory.qpos.shape == (len(trajectory) + 1, 1)
    assert trajectory.scene["substeps"] == 5
