from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.monitor import Monitor

import trackway
from trackway.cli.exchange import make_run
from trackway.errors import QueryError
from trackway.query.exchange import from_monitor, from_tensorboard


@pytest.fixture
def event_files(tmp_path: Path) -> Path:
    """As TensorBoard's own writers leave them: PyTorch's scalars, and a file that breaks off."""
    from torch.utils.tensorboard import SummaryWriter

    folder = tmp_path / "tb" / "PPO_1"
    with SummaryWriter(str(folder)) as writer:
        for step in range(0, 3000, 2):
            writer.add_scalar("train/loss", 1.0 / (step + 1), step, walltime=1000.0 + step)
            if step % 1000 == 0:
                writer.add_scalar("rollout/ep_rew_mean", float(step), step, walltime=1000.0 + step)
        writer.add_scalar("train/loss", float("nan"), 3000, walltime=4000.0)
    return folder.parent


def test_every_scalar_of_tensorboard_becomes_an_update(event_files: Path, tmp_path: Path) -> None:
    run = make_run(event_files, None, tmp_path / "models", "old")

    (found,) = trackway.open(tmp_path / "models")
    assert found.path == run.path
    updates = found.updates.collect()
    assert updates.height == 1501
    assert updates["timestep"].to_list() == list(range(0, 3001, 2))
    np.testing.assert_allclose(updates["train/loss"][10], 1 / 21, rtol=1e-6)
    assert updates["train/loss"][-1] is None
    assert updates["rollout/ep_rew_mean"].drop_nulls().to_list() == [0.0, 1000.0, 2000.0]
    assert (found.facts.status, found.facts.timesteps) == ("finished", 3000)
    assert found.facts.created_unix == 1000.0


def test_event_files_that_break_off_are_read_up_to_there(event_files: Path) -> None:
    (path,) = event_files.rglob("events.*")
    path.write_bytes(path.read_bytes()[:-5000])

    records = list(from_tensorboard.read(event_files))

    assert 1000 < len(records) < 1501
    assert list(from_tensorboard.read(path)) == records


def test_a_single_event_file_is_told_from_a_monitor_s(event_files: Path, tmp_path: Path) -> None:
    (path,) = event_files.rglob("events.*")
    make_run(path, None, tmp_path / "models", "old")

    assert trackway.open(tmp_path / "models")["old"].updates.collect().height == 1501
    with pytest.raises(QueryError, match=r"nowhere does not exist"):
        make_run(tmp_path / "nowhere", None, tmp_path / "models", "none")


@pytest.fixture
def monitors(tmp_path: Path) -> tuple[Path, list[Monitor]]:
    """Two CartPoles, stepped together, with Stable-Baselines3's own Monitor."""
    folder = tmp_path / "monitors"
    envs = [Monitor(gym.make("CartPole-v1"), str(folder / str(i))) for i in range(2)]
    for i, env in enumerate(envs):
        env.reset(seed=i)
    for step in range(200):
        for i, env in enumerate(envs):
            if env.step((step // (2 + i)) % 2)[2]:
                env.reset()
    for env in envs:
        env.close()
    return folder, envs


def test_every_episode_of_a_monitor_becomes_one(
    monitors: tuple[Path, list[Monitor]], tmp_path: Path
) -> None:
    folder, envs = monitors
    make_run(folder, None, tmp_path / "models", "old")

    (run,) = trackway.open(tmp_path / "models")
    episodes = run.episodes.collect()
    assert episodes["timestep"].is_sorted()
    for env in (0, 1):
        one = episodes.filter(episodes["env"] == env)
        assert one["length"].to_list() == envs[env].get_episode_lengths()
        np.testing.assert_allclose(one["return"], envs[env].get_episode_rewards())
        np.testing.assert_array_equal(one["timestep"], 2 * np.cumsum(one["length"]))
    assert run.facts.environment == "CartPole-v1"
    assert run.facts.episodes == sum(len(env.get_episode_lengths()) for env in envs)


def test_what_cannot_be_imported_is_said(tmp_path: Path) -> None:
    models = tmp_path / "models"
    with pytest.raises(QueryError, match="neither TensorBoard's event files nor"):
        make_run(tmp_path, None, models, "x")
    with pytest.raises(QueryError, match="holds no event files"):
        make_run(tmp_path, "tensorboard", models, "x")
    for number, content in enumerate(
        (b"", b"r,l,t\n1,2,3\n", b'#{"t_start": 1}\na,b\n1,2\n', b"\xff")
    ):
        path = tmp_path / f"{number}.monitor.csv"
        path.write_bytes(content)
        with pytest.raises(QueryError, match=r"is no CSV of Stable-Baselines3's Monitor"):
            list(from_monitor.read(path))
    assert not models.exists()
