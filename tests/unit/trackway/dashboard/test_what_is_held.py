"""What a server holds of a run that goes on and on: counted object by object, not by the process's size."""

import gc
import tracemalloc

import pytest
from tests.support.recorded_run import RecordedRun

from trackway.dashboard.alerts import alerts
from trackway.dashboard.curves import frame
from trackway.dashboard.newest import newest
from trackway.dashboard.overview import overview
from trackway.dashboard.position import position
from trackway.query import level, records, stream_view, told
from trackway.query.catalog import Catalog
from trackway.query.run_view import RunView

KEYS = [
    "steps:reward", "steps:torque#1", "episodes:return", "episodes:reward_components.progress",
    "updates:train/approx_kl", "system:memory_bytes",
]  # fmt: skip


@pytest.fixture
def little(monkeypatch):
    """So that hundreds of records are as many as an hour's."""
    monkeypatch.setattr(level, "_BLOCK_BYTES", 0)
    monkeypatch.setattr(level, "_LEAST_BLOCK", 2 * level.FACTOR)
    monkeypatch.setattr(records, "_BLOCK", 16)
    monkeypatch.setattr(stream_view, "_TAIL_BYTES", 1 << 12)
    monkeypatch.setattr(told, "_SUMS", 64)


def test_neither_rows_nor_records_that_were_taken_in_stay_in_memory(models, little):
    run = RecordedRun(models / "long")
    run.train(100)
    view, catalog = RunView(run.path), Catalog(models)

    def watch(rows: int) -> int:
        """What is held, in bytes, after so many more rows were watched."""
        while rows := rows - 250:
            before = position(view)
            run.train(250)
            view.refresh()
            newest(view, KEYS, "timestep", before, position(view), 0.0)
            catalog.refresh()
        frame(view, KEYS, "time", None, None, [400] * len(KEYS))
        overview(view, catalog.run("long"))
        alerts(view, catalog.run("long"), 0.0)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        held = [watch(1000) for _ in range(6)]
    finally:
        tracemalloc.stop()
    run.close()

    episodes = len(view.records("episodes"))
    assert episodes == len(view.records("starts")) == run.episodes > 900
    # An episode and its start are 4 kB of objects, and 200 bytes of numbers.
    assert held[-1] - held[1] < 70 * episodes * 4 / 6
