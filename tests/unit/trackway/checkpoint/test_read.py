import io
import json
import zipfile
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv
from tests.support.trainings import ppo

from trackway.checkpoint.archive import pack_arrays, with_members
from trackway.checkpoint.read import read_checkpoint
from trackway.errors import CheckpointError, DamagedCheckpointError, NotACheckpointError

MANIFEST = {"timestep": 1234, "exact": ["not this"]}


@pytest.fixture(scope="module")
def plain() -> bytes:
    buffer = io.BytesIO()
    ppo(DummyVecEnv([lambda: gym.make("CartPole-v1")])).save(buffer)
    return buffer.getvalue()


@pytest.fixture
def checkpoint(tmp_path: Path, plain: bytes) -> Path:
    members = {
        "counters.json": b'{"episodes": 3}',
        "vec.npz": pack_arrays({"mean": np.arange(2.0)}),
    }
    path = tmp_path / "checkpoint_20250101_120000.zip"
    path.write_bytes(with_members(plain, members, MANIFEST, 1_735_700_000.0))
    return path


def test_a_checkpoint_is_read_back_and_loads_with_plain_sb3(checkpoint):
    found = read_checkpoint(checkpoint)

    assert (found.timestep, found.resumable, found.path) == (1234, True, checkpoint)
    assert found.document("counters.json") == {"episodes": 3}
    assert found.arrays("vec.npz")["mean"].tolist() == [0.0, 1.0]
    assert found.document("nothing.json") is None
    assert PPO.load(checkpoint, device="cpu").num_timesteps == 0


def test_the_same_checkpoint_is_the_same_bytes(plain):
    first, second = (with_members(plain, {"a": b"b"}, MANIFEST, 1e9) for _ in range(2))

    assert first == second


def test_a_plain_model_is_read_without_a_manifest(tmp_path, plain):
    (tmp_path / "model.zip").write_bytes(plain)

    found = read_checkpoint(tmp_path / "model")  # as SB3, without its suffix

    assert (found.resumable, found.timestep) == (False, None)


def test_a_folder_without_a_model_is_called_a_folder(tmp_path):
    with pytest.raises(NotACheckpointError, match="it is a folder; name a zip in it"):
        read_checkpoint(tmp_path)


def test_the_earlier_folder_layout_is_read(tmp_path, plain):
    folder = tmp_path / "checkpoint_20250101_120000"
    folder.mkdir()
    (folder / "model.zip").write_bytes(plain)
    (folder / "checkpoint_meta.json").write_text('{"num_timesteps": 5000}')

    for path in (folder, folder / "model.zip"):
        found = read_checkpoint(path)

        assert (found.path, found.timestep) == (folder / "model.zip", 5000)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "no such file"), (b"", "not a zip"), (b"hello", "not a zip"), ("zip", "no members")],
)
def test_what_is_no_model_is_called_so(tmp_path, content, sentence):
    path = tmp_path / "x.zip"
    if content == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme", "nothing")
    elif content is not None:
        path.write_bytes(content)

    with pytest.raises(NotACheckpointError, match=sentence):
        read_checkpoint(path)


def test_wherever_a_checkpoint_is_cut_off_it_is_damaged(checkpoint):
    data = checkpoint.read_bytes()
    for size in range(len(data) // 20, len(data), len(data) // 20):
        checkpoint.write_bytes(data[:size])

        with pytest.raises(DamagedCheckpointError, match="use the checkpoint before it"):
            read_checkpoint(checkpoint)


def test_no_flipped_bit_goes_unnoticed(checkpoint):
    data = bytearray(checkpoint.read_bytes())
    with zipfile.ZipFile(checkpoint) as archive:
        infos = {info.filename: info for info in archive.infolist()}
    for name in ("data", "policy.pth", "trackway/counters.json", "trackway/manifest.json"):
        middle = infos[name].header_offset + 30 + len(name) + infos[name].file_size // 2
        data[middle] ^= 1
        checkpoint.write_bytes(data)

        with pytest.raises(CheckpointError):
            read_checkpoint(checkpoint)
        data[middle] ^= 1


def test_a_replaced_member_is_found_by_its_checksum(checkpoint, tmp_path):
    forged = tmp_path / "forged.zip"
    with zipfile.ZipFile(checkpoint) as old, zipfile.ZipFile(forged, "w") as new:
        for name in old.namelist():
            content = b'{"episodes": 9}' if name.endswith("counters.json") else old.read(name)
            new.writestr(name, content)

    with pytest.raises(DamagedCheckpointError, match=r"counters\.json does not match"):
        read_checkpoint(forged)


def test_nothing_of_ours_is_a_pickle(checkpoint):
    with zipfile.ZipFile(checkpoint) as archive:
        ours = [name for name in archive.namelist() if name.startswith("trackway/")]
        manifest = json.loads(archive.read("trackway/manifest.json"))

    assert all(name.endswith((".json", ".npz")) for name in ours)
    assert manifest["sha256"].keys() >= {"data", "policy.pth", "trackway/counters.json"}
