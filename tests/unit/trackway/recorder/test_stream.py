import numpy as np
import pytest
from tests.support.segments import NUM_ENVS
from tests.support.streams import Bench, assert_rows

from trackway.recorder import stream as stream_module
from trackway.storage import ring


def test_training_waits_for_room_and_the_wait_is_counted(tmp_path):
    bench = Bench(tmp_path)
    naps = []

    def drain_at_the_third_look(_):
        naps.append(1)
        if len(naps) == 3:
            bench.step()

    bench.stream._sleep = drain_at_the_third_look
    bench.commit(20)

    assert len(naps) == 3
    assert bench.ring.words[ring.WAITS] == 1
    assert bench.stream.waited_s > 0
    assert_rows(bench.read(), range(20))


def test_when_nobody_ever_drains_training_goes_on_and_what_is_discarded_is_counted(
    tmp_path, monkeypatch
):
    bench = Bench(tmp_path)
    monkeypatch.setattr(stream_module, "PATIENCE_S", 0.0)
    bench.stream._sleep = lambda _: None
    for _ in range(40):
        bench.stream.row["reward"][...] = bench.stream.committed
        bench.stream.commit()

    assert bench.stream.committed == 15
    assert bench.stream.lost == 25
    bench.step()  # somebody drains after all
    bench.commit(3)
    bench.finish()
    records = bench.read()
    assert records.rows.tolist() == list(range(18))
    assert records["reward"][:15, 0].tolist() == list(range(15))


def test_a_worker_writes_into_the_row_that_the_trainer_commits(tmp_path):
    bench = Bench(tmp_path)
    workers = [bench.stream.slot(env).open() for env in range(NUM_ENVS)]
    for number in range(5):
        for env, worker in enumerate(workers):
            worker.row["reward"][...] = number * 10 + env
        bench.stream.commit()

    assert bench.read()["reward"].tolist() == [[n * 10, n * 10 + 1] for n in range(5)]


def test_a_commit_allocates_nothing_that_stays(tmp_path):
    import tracemalloc

    bench = Bench(tmp_path)
    bench.ring.words[ring.TAIL] = 1 << 40
    bench.stream._limit = 1 << 40
    values = np.ones(NUM_ENVS, np.float32)

    def some_steps():
        for _ in range(500):
            bench.stream.row["reward"][:] = values
            bench.stream.commit()

    some_steps()
    tracemalloc.start()
    some_steps()
    before = tracemalloc.get_traced_memory()[0]
    some_steps()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert after - before < 500


def test_wrong_shapes_and_names_are_refused_by_numpy_at_once(tmp_path):
    bench = Bench(tmp_path)
    with pytest.raises(KeyError):
        bench.stream.write({"reword": np.zeros(2)})
    with pytest.raises(ValueError, match="broadcast"):
        bench.stream.write({"reward": np.zeros(3)})

    assert bench.stream.committed == 0
