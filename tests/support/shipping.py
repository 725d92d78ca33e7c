"""Runs shipped into a store and made again from it."""

from __future__ import annotations

import numpy as np

from trackway.run import RunFolder
from trackway.storage.reader import read
from trackway.sync.mirror import Mirror
from trackway.sync.shipper import Shipper


def shipper(bench, store, **options) -> Shipper:
    return Shipper(RunFolder(bench.run), store, clock=bench.clock, **options)


def shipped(bench, store) -> None:
    """Everything there is, by a process that comes and goes."""
    process = shipper(bench, store)
    process.run(until_done=True)
    process.close()


def mirror(store, tmp_path, run="달리기 1") -> Mirror:
    there = Mirror(store, run, tmp_path / "there")
    there.poll()
    return there


def values(run) -> np.ndarray:
    return read(run, "steps")["reward"]


def record(bench, count) -> None:
    for _ in range(0, count, 10):
        bench.commit(10)
        bench.step()
