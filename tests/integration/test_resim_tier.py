"""Key frames and actions in the place of columns: nobody who reads sees a difference."""

import shutil
import sys
import time
from collections import OrderedDict

import gymnasium as gym
import mujoco
import numpy as np
import orjson
import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.support.sliding_ball import SlidingBall

from trackway import Field, Recorder, Schema, files, read
from trackway.cli.main import main
from trackway.errors import FormatError, RecordingError
from trackway.format.part import NOT_RESIM
from trackway.gymnasium import RecordVectorEnv
from trackway.query import stream_view
from trackway.query.step_frames import step_frame
from trackway.recorder.compactor import Compaction
from trackway.replay import resim, simulation
from trackway.replay.library import Library
from trackway.storage.archive import compact, key_frames, resimulated
from trackway.storage.archive.part import open_part
from trackway.storage.archive.rewrite import rewrite
from trackway.storage.places import attempts, scenes_folder
from trackway.storage.reader import Reader
from trackway.storage.seals import seals
from trackway.storage.verify import verify

ROWS = 300


class Ball(SlidingBall):
    """Another mass at every start; a windy one is pushed after ten steps, and nobody records it."""

    def __init__(self, windy=False):
        super().__init__()
        self.windy, self.luck = windy, np.random.default_rng(windy)

    def reset(self, *, seed=None, options=None):
        self.model.body_mass[1] = self.luck.uniform(3.0, 40.0)
        mujoco.mj_setConst(self.model, self.data)
        return super().reset(seed=seed, options=options)

    def step(self, action):
        if self.windy and self._steps == 10:
            self.data.qvel[0] += 0.01
        return super().step(action)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A run of three balls, the last a windy one; parts begin within episodes."""
    run = tmp_path_factory.mktemp("recorded") / "run"
    np.random.seed(0)  # noqa: NPY002
    envs = gym.vector.SyncVectorEnv(
        [Ball, Ball, lambda: Ball(windy=True)],
        autoreset_mode=gym.vector.AutoresetMode.SAME_STEP,
    )
    with Recorder(run, compact=False, segment_bytes=12_000) as recorder:
        envs = RecordVectorEnv(envs, recorder)
        envs.action_space.seed(0)
        envs.reset(seed=0)
        for _ in range(ROWS):
            envs.step(envs.action_space.sample())
    shutil.copytree(run, run.with_name("sealed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compact, "PART_BYTES", 12_000)
        compact.compact_run(run)
    return run


@pytest.fixture(autouse=True, scope="module")
def any_size():
    """A ball's row is so small that the part's own description outweighs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resim, "_WORTH", 10.0)
        yield


@pytest.fixture(scope="module")
def converted(tmp_path_factory, recorded, any_size):
    run = shutil.copytree(recorded, tmp_path_factory.mktemp("converted") / "run")
    made = list(resim.to_resim(steps_of(run)))
    assert len(made) >= 3
    assert [one.why for one in made] == [""] * len(made)
    # Of the windy ball ten steps of an episode come out as they were.
    assert 2.1 * ROWS < sum(one.lines for one in made) < 2.8 * ROWS
    return run


@pytest.fixture
def run(tmp_path, recorded):
    return shutil.copytree(recorded, tmp_path / "run")


@pytest.fixture
def again(tmp_path, converted):
    return shutil.copytree(converted, tmp_path / "run")


@pytest.fixture
def simulated(monkeypatch):
    """Every run of a simulation; none is remembered."""
    runs, right = [], simulation.Simulation.run

    def counted(*args):
        runs.append(args)
        return right(*args)

    monkeypatch.setattr(simulation.Simulation, "run", counted)
    monkeypatch.setattr(resimulated, "_KEPT_BYTES", 0)
    monkeypatch.setattr(resimulated, "_made", OrderedDict())
    monkeypatch.setattr(resimulated, "_made_bytes", 0)
    return runs


def steps_of(run):
    return attempts(run)[0].stream("steps")


def first_part(run):
    return steps_of(run).parts()[0].path


def same(a, b):
    assert a.rows.tolist() == b.rows.tolist()
    for name in a.columns:
        assert a[name].tobytes() == b[name].tobytes(), name


def test_readers_see_what_was_recorded(converted, recorded):
    stream, before = steps_of(converted), steps_of(recorded)

    same(read(converted, "steps"), read(recorded, "steps"))
    for first, env in ((0, 1), (133, 0), (290, None)):
        one, other = (Reader(s, ["qpos", "reward"], first, env).poll(100) for s in (stream, before))
        same(one, other)
    assert [s.digests for s in seals(stream)] == [s.digests for s in seals(before)]
    report = verify(stream)
    assert (report.whole, report.tier, report.rows) == (True, "resim", ROWS)
    one, other = (Library(each) for each in (converted, recorded))
    for wanted in ("latest", "0", "best"):
        trajectories = [lib.trajectory(lib.index.find(wanted)) for lib in (one, other)]
        assert trajectories[0].qpos.tobytes() == trajectories[1].qpos.tobytes()


def test_questions_get_the_same_answers(converted, recorded):
    frames = [step_frame(steps_of(each)) for each in (converted, recorded)]
    chosen = [frame.filter(pl.col("reward") > 0) for frame in frames]
    one, other = (frame.select("row", "env", "qvel_0", "ctrl_0").collect() for frame in chosen)

    assert len(one) > 0
    assert one.equals(other)


def test_a_part_is_proven_by_simulating_it_once(converted, simulated):
    keys = pq.read_table(first_part(converted))["trackway.state"].drop_null()
    with open_part(first_part(converted)) as part:
        assert part.wrong_fields() == ([], [])

    assert len(simulated) == len(keys)


def test_a_curve_from_afar_is_drawn_without_simulating_again(converted, simulated, monkeypatch):
    for name in ("_CHUNK_BYTES", "_TAIL_BYTES", "_SIMULATED_ROWS"):
        monkeypatch.setattr(stream_view, name, 1)
    view = stream_view.StreamView(steps_of(converted))
    view.follow("qvel")
    view.refresh()
    simulated.clear()
    drawn = view.buckets("qvel", 0, 256, 100, env=0, index=0)

    assert not simulated
    assert drawn.max.max() == read(converted, "steps", fields=["qvel"])["qvel"][:256, 0].max()


def test_another_tool_finds_nothing_where_something_is_simulated(converted):
    everything = pq.read_table(first_part(converted))
    table = everything.filter(pc.field("env") < 2)

    assert table["qpos_0"].null_count == table["qvel_0"].null_count == len(table)
    # What could not be simulated is there.
    assert 0 < everything["qpos_0"].null_count - len(table) < len(everything) / 3
    assert table["action_0"].null_count == 0
    told = table["trackway.state"].drop_null()
    assert len(told) == len(table["trackway.check"].drop_null()) >= 4


def test_parts_of_this_tier_are_not_merged(again):
    parts = [file.path for file in steps_of(again).parts()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trackway.storage.archive.plan.FAN_IN", 2)
        compact.compact_run(again)

    assert [file.path for file in steps_of(again).parts()] == parts


def test_a_part_that_would_not_be_smaller_stays_exact_and_says_so(run, recorded, monkeypatch):
    monkeypatch.setattr(resim, "_WORTH", 0.1)
    made = list(resim.to_resim(steps_of(run)))

    assert all("came out of a simulation" in one.why for one in made)
    report = verify(steps_of(run))
    assert (report.whole, report.tier) == (True, "exact")
    assert [note["note"] for note in report.notes if note["note"] == NOT_RESIM] == [
        NOT_RESIM
    ] * len(made)
    same(read(run, "steps"), read(recorded, "steps"))
    again = list(resim.to_resim(steps_of(run)))
    assert all(one.why.startswith("it was tried before: ") for one in again)
    assert [one.path for one in again] == [one.path for one in made]


def test_without_its_model_the_kept_columns_are_there_and_the_rest_is_named(
    again, recorded, caplog
):
    (model,) = scenes_folder(again).glob("*.mjb")
    kept = model.rename(model.with_suffix(".away"))
    simulation._load.cache_clear()

    same(read(again, "steps", fields=["action"]), read(recorded, "steps", fields=["action"]))
    assert len(read(again, "steps", fields=["qpos"])) == 0
    assert f"{model}" in caplog.text
    assert not verify(steps_of(again)).whole
    kept.write_bytes(b"another" + kept.read_bytes()[7:])
    kept.rename(model)
    assert "is damaged" in verify(steps_of(again)).faults[0]


def test_without_mujoco_or_with_another_it_says_what_to_install(again, monkeypatch):
    with open_part(first_part(again)) as part:
        monkeypatch.setattr(mujoco, "__version__", "99.0")
        with pytest.raises(FormatError, match=r"and this is 99\.0: pip install mujoco=="):
            part.values(["qpos"], slice(0, 5))
        monkeypatch.setitem(sys.modules, "trackway.replay.simulation", None)
        with pytest.raises(FormatError, match="needs MuJoCo: pip install mujoco=="):
            part.values(["qpos"], slice(0, 5))


def test_a_processor_that_calculates_otherwise_is_found_out(again, monkeypatch):
    right = simulation.advance

    def otherwise(model, data, *rest):
        held = right(model, data, *rest)
        data.qvel[:] = np.nextafter(data.qvel, np.inf)
        return held

    monkeypatch.setattr(simulation, "advance", otherwise)
    with (
        open_part(first_part(again)) as part,
        pytest.raises(FormatError, match="not what was recorded"),
    ):
        part.values(["qpos"], slice(0, 5))


def test_what_does_not_prove_right_when_it_is_read_back_is_not_kept(run, recorded, monkeypatch):
    monkeypatch.setattr(resim, "keys_of", lambda found, *rest: keys_of(found[1:], *rest))
    keys_of = key_frames.keys_of
    made = list(resim.to_resim(steps_of(run)))

    assert all("read back it is not what was recorded" in one.why for one in made)
    same(read(run, "steps"), read(recorded, "steps"))


@pytest.mark.parametrize("instant", ["building", "written", "published"])
def test_killed_at_any_instant_the_one_part_or_the_other_is_there(
    run, recorded, monkeypatch, instant
):
    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patch:
        if instant == "published":
            patch.setattr(files, "remove", killed)
        else:
            patch.setattr(resim, "write_columns" if instant == "building" else "_prove", killed)
            # A process that is killed cleans nothing up.
            patch.setattr("pathlib.Path.unlink", lambda *_, **__: None)
        with pytest.raises(Killed):
            list(resim.to_resim(steps_of(run)))
    stream = steps_of(run)

    same(read(run, "steps"), read(recorded, "steps"))
    if instant == "published":
        assert len(list(stream.path.glob("*.parquet"))) == len(stream.parts()) + 1
    compact.compact_run(run)
    list(resim.to_resim(stream))
    assert len(list(stream.path.iterdir())) == len(stream.parts())
    same(read(run, "steps"), read(recorded, "steps"))
    assert verify(stream).tier == "resim"


def test_parts_are_made_whole_again(again, recorded):
    stream = steps_of(again)
    list(resim.to_exact(stream))
    report = verify(stream)
    assert (report.whole, report.tier) == (True, "exact")
    table = pq.read_table(stream.parts()[0].path)
    assert table["qpos_0"].null_count == 0
    assert not any(name.startswith("trackway.") for name in table.column_names)
    same(read(again, "steps"), read(recorded, "steps"))


def test_a_policy_thins_such_a_part_to_recorded_values(again, recorded):
    stream = steps_of(again)
    places = np.arange(0, 50, 7)
    rewrite(stream, stream.parts()[0], places=places)

    with open_part(stream.parts()[0].path) as part:
        assert (part.header.tier, part.header.resim) == ("sampled", None)
        found = part.values(["qpos"], slice(0, len(places)))[0]
    np.testing.assert_array_equal(found, read(recorded, "steps")["qpos"][places])


def test_no_flipped_bit_gives_a_wrong_value(again, recorded):
    given = read(recorded, "steps", fields=["qpos", "reward"])
    path, refused = first_part(again), 0
    data = path.read_bytes()
    luck = np.random.default_rng(0)
    for at in luck.integers(len(data), size=60).tolist():
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        for name in ("qpos", "reward"):
            try:
                with open_part(path) as part:
                    (found,) = part.values([name], slice(0, 40))
            except FormatError:
                refused += 1
            else:
                assert found.tobytes() == given[name][:40].tobytes()
    assert refused > 30


def test_the_command_converts_says_and_converts_back(tmp_path, recorded, capsys):
    run = shutil.copytree(recorded.with_name("sealed"), tmp_path / "run")
    assert main(["compact", str(run), "--tier", "resim"]) == 0
    assert "lines are simulated again when they are read" in capsys.readouterr().out
    assert main(["compact", str(run), "--tier", "resim"]) == 0
    assert "stays" in capsys.readouterr().out
    assert main(["compact", str(run), "--tier", "resim", "--stream", "episodes"]) == 1
    assert "holds records" in capsys.readouterr().err
    assert main(["compact", str(run), "--tier", "exact", "--json"]) == 0
    assert main(["verify", str(run)]) == 0
    same(read(run, "steps"), read(recorded, "steps"))
    capsys.readouterr()


def test_the_command_goes_on_after_what_it_cannot_change(again, capsys):
    first, second, *_ = (file.path for file in steps_of(again).parts())
    first.write_bytes(first.read_bytes()[:-20])

    assert main(["compact", str(again), "--tier", "exact"]) == 1
    told = capsys.readouterr().out
    assert f"{first.name}: stays" in told
    assert f"{second.stem[:-3]}.r2.parquet" in told
    shutil.rmtree(scenes_folder(again))
    assert main(["compact", str(again), "--tier", "resim"]) == 0
    assert "the model that moved is not there" in capsys.readouterr().out


def wanting(run, precision):
    """The first attempt of a run, its recorder told so."""
    (attempt, *_) = attempts(run)
    told = orjson.loads(attempt.manifest.read_bytes())
    told |= {"compact": True, "precision": {"steps": precision}}
    attempt.manifest.write_bytes(orjson.dumps(told))
    return attempt


@pytest.fixture
def wanted(tmp_path, recorded):
    """A run whose recorder was told `resim`, not compacted yet."""
    run = shutil.copytree(recorded.with_name("sealed"), tmp_path / "run")
    wanting(run, "resim")
    return run


def test_what_a_recorder_wanted_is_made_of_its_run(wanted, recorded, capsys):
    assert main(["compact", str(wanted)]) == 0
    assert "lines are simulated again when they are read" in capsys.readouterr().out
    assert verify(steps_of(wanted)).tier == "resim"
    same(read(wanted, "steps"), read(recorded, "steps"))

    # Made exact by somebody, it stays so.
    assert main(["compact", str(wanted), "--tier", "exact"]) == 0
    assert main(["compact", str(wanted)]) == 0
    assert verify(steps_of(wanted)).tier == "exact"


def test_while_somebody_records_into_the_run_training_does_not_wait_for_it(wanted):
    with Recorder(wanted, compact=False):
        assert main(["compact", str(wanted)]) == 0
        assert verify(steps_of(wanted)).tier == "exact"
    assert main(["compact", str(wanted)]) == 0
    assert verify(steps_of(wanted)).tier == "resim"


def test_what_is_not_worth_it_stays_exact_and_verify_says_so(wanted, monkeypatch, capsys):
    monkeypatch.setattr(resim, "_WORTH", 0.1)
    assert main(["compact", str(wanted)]) == 0
    assert "stays, " in capsys.readouterr().out

    assert main(["verify", str(wanted)]) == 0
    assert f"rows 0 to {ROWS - 1} stay exact: " in capsys.readouterr().out


def test_the_recorder_s_child_does_it_when_training_has_ended(run):
    compaction = Compaction(wanting(run, "resim"))
    compaction.look()
    assert not compaction.busy
    compaction.look(ended=True)
    while compaction.busy:
        time.sleep(0.01)

    # In another process nobody has said that such small parts are worth it.
    assert [note["note"] for note in verify(steps_of(run)).notes].count(NOT_RESIM) >= 3


def test_a_precision_that_cannot_be_is_refused_before_training(tmp_path):
    schema = Schema(Field("height", "float32", unit="m"))
    wanted = {"a": "fine", "b": {"width": 1e-3}, "c": {"height": -1.0}, "d": "analysis"}
    with Recorder(tmp_path, precision=wanted) as recorder:
        for name in "abc":
            with pytest.raises(RecordingError, match=f"stream '{name}' cannot begin: "):
                recorder.stream(name, schema)
        recorder.stream("d", schema)
