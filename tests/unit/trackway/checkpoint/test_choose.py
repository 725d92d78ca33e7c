"""The newest whole checkpoint, and what is said of those that are not."""

import io
import zipfile

import pytest

from trackway.checkpoint.archive import with_members
from trackway.checkpoint.choose import choose, list_checkpoints


def write(folder, name, timestep):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data", "{}")
        archive.writestr("policy.pth", b"weights" * 100)
    path = folder / f"{name}.zip"
    path.write_bytes(with_members(buffer.getvalue(), {}, {"timestep": timestep}, 1.7e9))
    return path


@pytest.fixture
def folder(tmp_path):
    names = ["20250101_120000", "20250101_120000_2", "20250101_120000_10", "20250101_120001"]
    for number, name in enumerate(names, start=1):
        write(tmp_path, f"checkpoint_{name}", 100 * number)
    return tmp_path


def test_the_newest_is_taken_and_names_of_one_second_count(folder):
    assert [path.stem[11:] for path in list_checkpoints(folder)][1:3] == [
        "20250101_120000_2",
        "20250101_120000_10",
    ]
    choice = choose(folder)
    assert choice.checkpoint.timestep == 400
    assert choice.damaged == {}


def test_a_clock_that_is_behind_makes_no_checkpoint_an_older_one(folder):
    write(folder, "checkpoint_20250101_030000", 500)

    assert choose(folder).checkpoint.timestep == 500
    assert choose(folder, 450).checkpoint.timestep == 400


@pytest.mark.parametrize("harm", ["cut", "flip", "empty"])
def test_a_damaged_one_is_passed_over_and_told(folder, harm):
    newest = folder / "checkpoint_20250101_120001.zip"
    data = bytearray(newest.read_bytes())
    data[len(data) // 3] ^= 1
    newest.write_bytes({"cut": data[:-100], "flip": data, "empty": b""}[harm])

    choice = choose(folder)

    assert choice.checkpoint.timestep == 300
    assert list(choice.damaged) == [newest]
    assert newest.name in choice.damaged[newest]


@pytest.mark.parametrize(("at", "found"), [(300, 300), (399, 300), (100, 100), (99, None)])
def test_the_newest_at_or_before_a_timestep(folder, at, found):
    checkpoint = choose(folder, at).checkpoint

    assert (checkpoint.timestep if checkpoint else None) == found


def test_a_model_without_our_members_is_nothing_to_resume_from(tmp_path):
    with zipfile.ZipFile(tmp_path / "checkpoint_20250101_120000.zip", "w") as archive:
        archive.writestr("data", "{}")
        archive.writestr("policy.pth", b"weights")

    assert choose(tmp_path).checkpoint is None
    assert choose(tmp_path / "nowhere").checkpoint is None
