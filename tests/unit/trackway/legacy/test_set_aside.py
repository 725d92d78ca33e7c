"""Every record once: what a dead attempt recorded beyond the checkpoint makes room."""

import orjson
import pytest

from trackway import files
from trackway.legacy.set_aside import set_aside_records

HISTORY = {
    "best_mean_reward": 9.0,
    "timesteps_history": [100, 200, 300],
    "rewards_history": [4.0, 2.0, 9.0],
    "lengths_history": [1.0, 2.0, 3.0],
}


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(value))


@pytest.fixture
def run(tmp_path):
    data = tmp_path / "realtime_data"
    for number in range(1, 31):
        name = f"20250101_1200{number:02d}.json"
        rows = [{"timestep": 10 * number, "env_id": 0}, {"timestep": 10 * number + 5, "env_id": 1}]
        write(data / "episodes" / f"episodes_{name}", rows)
        write(data / "environment_states" / f"env_states_{name}", rows[:1])
        write(data / "learning_metrics" / f"learning_metrics_{name}", rows[1:])
        write(data / "checkpoints" / f"checkpoint_{name}", {"timestep": 10 * number})
    write(tmp_path / "training_history.json", HISTORY)
    return tmp_path


def timesteps(folder, kind):
    found = []
    for path in sorted((folder / kind).glob("*.json")):
        told = orjson.loads(path.read_bytes())
        found += [row["timestep"] for row in (told if isinstance(told, list) else [told])]
    return found


def aside(run, after):
    data, into = run / "realtime_data", run / "realtime_data" / "set_aside" / "1"
    return set_aside_records(data, run / "training_history.json", after, into)


def test_records_of_a_machine_whose_clock_was_behind_move_as_well(run):
    for number in range(30):
        name = f"episodes_20250101_0900{number:02d}.json"
        write(run / "realtime_data" / "episodes" / name, [{"timestep": 400 + number}])

    aside(run, 401)

    assert max(timesteps(run / "realtime_data", "episodes")) == 401


def test_records_beyond_the_checkpoint_move_and_the_others_stay(run):
    data = run / "realtime_data"
    before = {k: timesteps(data, k) for k in ("episodes", "environment_states", "learning_metrics")}

    moved = aside(run, 200)

    assert moved == sum(t > 200 for found in before.values() for t in found) + 10
    for kind, found in before.items():
        assert timesteps(data, kind) == [t for t in found if t <= 200]
        assert timesteps(data / "set_aside" / "1", kind) == [t for t in found if t > 200]
    assert max(timesteps(data, "checkpoints")) == 200


def test_the_history_of_evaluations_is_cut(run):
    aside(run, 200)

    history = orjson.loads((run / "training_history.json").read_bytes())
    assert history["timesteps_history"] == [100, 200]
    assert history["best_mean_reward"] == 4.0
    kept = run / "realtime_data" / "set_aside" / "1" / "training_history.json"
    assert orjson.loads(kept.read_bytes()) == HISTORY


def test_nothing_moves_when_nothing_was_recorded_beyond(run):
    assert aside(run, 10_000) == 0
    assert not (run / "realtime_data" / "set_aside").exists()


def test_all_move_when_the_run_begins_anew(run):
    aside(run, -1)

    for kind in ("episodes", "environment_states", "learning_metrics", "checkpoints"):
        assert timesteps(run / "realtime_data", kind) == []


@pytest.mark.parametrize("after_operations", range(1, 9))
def test_a_cut_in_the_middle_loses_nothing_and_is_mended_by_another_try(
    run, monkeypatch, after_operations
):
    data = run / "realtime_data"
    before = sorted(timesteps(data, "episodes"))
    count = 0

    def limited(plain):
        def operation(*arguments):
            nonlocal count
            count += 1
            if count > after_operations:
                raise KeyboardInterrupt
            plain(*arguments)

        return operation

    with monkeypatch.context() as patch:
        for name in ("publish", "remove", "rename"):
            patch.setattr(files, name, limited(getattr(files, name)))
        with pytest.raises(KeyboardInterrupt):
            aside(run, 200)
    everywhere = set(timesteps(data, "episodes") + timesteps(data / "set_aside" / "1", "episodes"))
    assert everywhere == set(before)
    aside(run, 200)

    assert timesteps(data, "episodes") == [t for t in before if t <= 200]
    assert timesteps(data / "set_aside" / "1", "episodes") == [t for t in before if t > 200]
