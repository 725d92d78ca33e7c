"""Disks that refuse: training goes on, it is said once, and what can still be written is."""

import logging
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv
from tests.support.toy_robot import ToyRobot
from tests.support.trainings import Watcher, documents, episodes_of, ppo, strict_loads

from trackway.errors import RecordingError
from trackway.legacy import RealTimeSavingCallback


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small tmpfs needs privileges that this machine does not give")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_stops_no_training_and_leaves_no_half_file(small_disk, caplog):
    callback = RealTimeSavingCallback(
        small_disk / "realtime_data", 20, checkpoint_frequency=100, verbose=0, close_timeout_s=0.5
    )
    with caplog.at_level(logging.WARNING):
        model = ppo(make_vec_env("CartPole-v1", 2)).learn(1000, callback=callback)

    assert model.num_timesteps >= 1000
    assert caplog.text.count("recording cannot write: [Errno 28] No space left") == 1
    assert f"on device: '{small_disk}/" in caplog.text
    assert callback.status.failures > 0
    assert callback.status.lost_records > 0
    assert "records are lost" in caplog.text
    for path in small_disk.glob("**/*.json"):
        strict_loads(path.read_bytes())
    assert not list(small_disk.glob("**/.*.tmp"))


def test_a_disk_with_room_again_gets_everything(small_disk):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(190_000))

    class MakesRoom(Watcher):
        def _on_step(self):
            if self.num_timesteps == 200:
                assert saving._session.outbox.wait(timeout_s=0.5) is False
                ballast.unlink()
            return super()._on_step()

    saving = RealTimeSavingCallback(
        small_disk / "realtime_data", 100, save_checkpoints=False, verbose=0
    )
    watcher = MakesRoom()
    model = ppo(DummyVecEnv([ToyRobot]))
    model.learn(256, callback=[saving, watcher])

    assert len(episodes_of(small_disk / "realtime_data")) == len(watcher.finished)
    assert saving.status.lost_records == 0


def test_a_folder_that_is_deleted_is_made_again(tmp_path):
    folder = tmp_path / "realtime_data"

    class Deletes(Watcher):
        def _on_step(self):
            super()._on_step()
            if self.num_timesteps == 128:
                while saving.status.records.get("learning_metrics") != 2:
                    time.sleep(0.01)
                shutil.rmtree(folder)
                self.finished.clear()
            return True

    saving = RealTimeSavingCallback(folder, 64, save_checkpoints=False, verbose=0)
    watcher = Deletes()
    ppo(DummyVecEnv([ToyRobot])).learn(256, callback=[saving, watcher])

    assert len(episodes_of(folder)) == len(watcher.finished) > 0
    assert saving.status.lost_records == 0


def test_a_checkpoint_that_cannot_be_saved_is_an_error_to_whoever_asked(tmp_path):
    (tmp_path / "checkpoints").write_text("a file where a folder has to be")

    class Asks(Watcher):
        def _on_step(self):
            if self.num_timesteps == 10:
                with pytest.raises(RecordingError, match="no checkpoint could be saved"):
                    saving.save_checkpoint("asked for", timeout_s=3.0)
                (tmp_path / "checkpoints").unlink()
            return True

    saving = RealTimeSavingCallback(tmp_path / "realtime_data", verbose=0)
    ppo(DummyVecEnv([ToyRobot])).learn(32, callback=[saving, Asks()])

    assert len(documents(tmp_path / "realtime_data", "checkpoints/*.json")) >= 1
