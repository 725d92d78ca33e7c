import os
from pathlib import Path

import orjson
import pytest

from trackway.clock import SYSTEM_CLOCK
from trackway.errors import RunError
from trackway.run import (
    create_run,
    find_run,
    list_runs,
    new_manifest,
    read_manifest,
    status,
    write_manifest,
)


class FrozenClock:
    """Stands at one second, so that names collide."""

    def unix_s(self) -> float:
        return 1735700000.0

    def monotonic_s(self) -> float:
        return 0.0

    def sleep_s(self, duration_s: float) -> None:
        raise AssertionError("nobody sleeps here")


def a_run(models: Path, name: str | None = None, **facts: object):
    run = create_run(models, name, SYSTEM_CLOCK)
    write_manifest(run, new_manifest(command=["train.py"], config={"seed": 0}) | facts)
    return run


def test_a_run_is_a_folder_named_by_time_and_name(tmp_path):
    run = create_run(tmp_path / "models", "my_experiment", FrozenClock())

    assert run.path.is_dir()
    assert run.name.endswith("-my_experiment")
    assert len(run.name) == len("2025-01-01_12-00-00-my_experiment")


def test_two_runs_of_one_second_get_distinct_folders(tmp_path):
    names = {create_run(tmp_path, "twin", FrozenClock()).name for _ in range(3)}

    assert len(names) == 3


def test_a_korean_name_with_spaces_is_a_name(tmp_path):
    run = a_run(tmp_path / "모델 폴더", "걷기 실험 1")

    assert find_run(tmp_path / "모델 폴더", "걷기 실험 1").path == run.path


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "x" * 200, ".."])
def test_a_name_that_could_leave_the_folder_is_refused_before_anything_is_made(tmp_path, name):
    with pytest.raises(RunError, match="cannot name a run"):
        create_run(tmp_path / "models", name)

    assert not (tmp_path / "models").exists()


def test_a_manifest_reads_back_as_written(tmp_path):
    run = a_run(tmp_path, versions={"python": "3.11"})

    manifest = read_manifest(run)

    assert manifest["command"] == ["train.py"]
    assert manifest["config"] == {"seed": 0}
    assert manifest["versions"] == {"python": "3.11"}
    assert manifest["process"]["pid"] == os.getpid()


def test_a_run_whose_process_is_gone_has_crashed(tmp_path):
    manifest = read_manifest(a_run(tmp_path))

    assert status(manifest) == "running"
    # The same id with another start time is another process.
    assert status(manifest | {"process": {"pid": os.getpid(), "started_unix": 1.0}}) == "crashed"
    assert status(manifest | {"status": "finished"}) == "finished"


def test_a_damaged_or_foreign_or_later_manifest_says_so(tmp_path):
    run = a_run(tmp_path)

    run.manifest.write_bytes(b'{"format": "trackway-r')
    with pytest.raises(RunError, match="cannot be read"):
        read_manifest(run)
    run.manifest.write_bytes(b"[]")
    with pytest.raises(RunError, match="not a manifest"):
        read_manifest(run)
    run.manifest.write_bytes(orjson.dumps({"format": "trackway-run", "version": 99}))
    with pytest.raises(RunError, match="later Trackway"):
        read_manifest(run)


def test_runs_are_found_by_folder_name_ending_or_latest(tmp_path):
    first, second = a_run(tmp_path, "first"), a_run(tmp_path, "second")

    assert [run.name for run in list_runs(tmp_path)] == [first.name, second.name]
    assert find_run(tmp_path, "first").path == first.path
    assert find_run(tmp_path, second.name).path == second.path
    assert find_run(tmp_path, "latest").path == second.path
    assert find_run(tmp_path, str(first.path)).path == first.path


def test_the_latest_run_is_a_training_and_not_the_test_of_it(tmp_path):
    training, test = a_run(tmp_path, "walk"), a_run(tmp_path, "test")
    write_manifest(test, read_manifest(test) | {"tested": {"path": "final_model.zip"}})

    assert find_run(tmp_path, "latest").path == training.path
    assert find_run(tmp_path, "test").path == test.path


def test_an_unknown_or_ambiguous_name_is_one_clear_sentence(tmp_path):
    with pytest.raises(RunError, match="holds no runs"):
        find_run(tmp_path, "anything")
    a_run(tmp_path, "first")
    a_run(tmp_path, "second")
    with pytest.raises(RunError, match="is called 'third'"):
        find_run(tmp_path, "third")
    with pytest.raises(RunError, match="could mean 2 runs"):
        find_run(tmp_path, "20")
