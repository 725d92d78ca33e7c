"""An index of episodes is kept beside the run: it saves time and never changes an answer."""

import shutil

import numpy as np
import orjson
import pytest
from tests.support.sliding_ball import SlidingBall

from trackway import Recorder
from trackway.gymnasium import RecordEnv
from trackway.replay import attempt
from trackway.replay.episodes import EpisodeIndex
from trackway.storage.cache import cache_folder
from trackway.storage.places import attempts

COLUMNS = ("timestep", "return", "length", "env", "episode", "reason", "row", "piece")


@pytest.fixture(autouse=True)
def _keeps_small_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("TRACKWAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(attempt, "_WORTH_KEEPING", 2)


def play(env, episodes):
    for _ in range(episodes):
        env.reset()
        ended = False
        while not ended:
            *_, terminated, truncated, _ = env.step(np.array([1.0], np.float32))
            ended = terminated or truncated


@pytest.fixture
def run(tmp_path):
    env = RecordEnv(SlidingBall(), Recorder(tmp_path / "run"))
    play(env, 5)
    env.close()
    return tmp_path / "run"


def everything(run):
    index = EpisodeIndex(run)
    episodes = [index[number] for number in range(len(index))]
    begun = [index.attempts[0].start(episode) for episode in episodes]
    return episodes, begun, {name: index.column(name).tolist() for name in COLUMNS}


def read_records(monkeypatch):
    """Counts the records of `episodes` and `starts` that are taken in from now on."""
    taken, told = [], attempt._where
    monkeypatch.setattr(attempt, "_where", lambda record: taken.append(record) or told(record))
    return taken


def test_what_was_looked_at_once_is_not_read_again(run, monkeypatch):
    first = everything(run)
    taken = read_records(monkeypatch)
    index = EpisodeIndex(run)

    assert len(taken) == 2  # the last of each stream, to see that it is still there
    assert len(index) == 5
    assert everything(run) == first


def test_a_run_that_went_on_is_read_on(tmp_path, monkeypatch):
    env = RecordEnv(SlidingBall(), Recorder(tmp_path / "run"))
    play(env, 3)
    assert len(EpisodeIndex(tmp_path / "run")) == 3
    play(env, 2)
    env.close()
    taken = read_records(monkeypatch)
    found = everything(tmp_path / "run")

    assert len(taken) == 2 + 2 * 2
    shutil.rmtree(cache_folder())
    assert everything(tmp_path / "run") == found


def test_an_index_of_rows_that_were_lost_is_made_again(run, tmp_path):
    everything(run)
    (folder,) = attempts(run)
    shorter = RecordEnv(SlidingBall(), Recorder(tmp_path / "shorter"))
    play(shorter, 3)
    shorter.close()
    for name in ("episodes", "starts"):
        shutil.rmtree(folder.stream(name).path)
        shutil.copytree(
            attempts(tmp_path / "shorter")[0].stream(name).path, folder.stream(name).path
        )

    assert len(EpisodeIndex(run)) == 3


def test_an_attempt_recorded_anew_under_the_same_name_is_another(run, monkeypatch):
    everything(run)
    (folder,) = attempts(run)
    told = orjson.loads(folder.manifest.read_bytes())
    folder.manifest.write_bytes(orjson.dumps(told | {"created_unix": told["created_unix"] + 1}))
    taken = read_records(monkeypatch)

    assert len(EpisodeIndex(run)) == 5
    assert len(taken) >= 5 + 5


def test_no_flipped_or_missing_byte_changes_an_answer(run):
    whole = everything(run)
    (path,) = cache_folder().glob("episodes/*")
    data, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(20):
        broken = bytearray(data)
        if rng.random() < 0.7:
            broken[rng.integers(len(broken))] ^= 1 << int(rng.integers(8))
        else:
            del broken[rng.integers(len(broken)) :]
        path.write_bytes(broken)

        assert everything(run) == whole
