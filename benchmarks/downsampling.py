"""What it costs to draw ten million rows as a thousand buckets: two thousand points, min and max.

Thread CPU time, best of several, in one run; the peers answer the same question. A plain minimum
over the column is the floor: it reads every value once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from trackway.query.downsample import downsample
from trackway.query.pyramid import Pyramid

ROWS, BUCKETS = 10_000_000, 1_000


def cpu_ms(act: Callable[[], Any], times: int = 7) -> float:
    best = float("inf")
    for _ in range(times):
        begun_s = time.thread_time()
        act()
        best = min(best, time.thread_time() - begun_s)
    return 1e3 * best


def main() -> None:
    for dtype in (np.float32, np.float64):
        values = np.random.default_rng(0).normal(size=ROWS).astype(dtype)
        dirty = values.copy()
        dirty[:: ROWS // BUCKETS // 3] = np.nan
        floor = cpu_ms(values.min)
        print(f"{np.dtype(dtype).name}: reading every value once {floor:.2f} ms")
        for name, act in (
            ("downsample", lambda values=values: downsample(values, BUCKETS)),
            ("downsample, NaN in every bucket", lambda dirty=dirty: downsample(dirty, BUCKETS)),
        ):
            took = cpu_ms(act)
            print(f"  {name}: {took:.2f} ms, {took / floor:.1f} times the floor")
        pyramid = Pyramid(1, dtype)
        build = cpu_ms(lambda values=values, pyramid=pyramid: pyramid.append(values), 1)
        print(
            f"  building the pyramid: {build:.1f} ms, {pyramid.nbytes / values.nbytes:.1%} of the column"
        )
        for stretch in (ROWS, ROWS // 10, ROWS // 40):
            took = cpu_ms(lambda p=pyramid, n=stretch: p.query(0, n, BUCKETS, series=0), 20)
            print(f"  from the pyramid, {stretch:,} rows: {took:.3f} ms")


if __name__ == "__main__":
    main()
