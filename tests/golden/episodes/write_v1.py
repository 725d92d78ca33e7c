"""Wrote v1.npz, once. Run again only to begin a v2: what is here must open for ever."""

import os
from pathlib import Path

from trackway.replay import kept
from trackway.replay.attempt import new_tables

IDENTITY = {"run": "/models/run", "attempt": "001-3f9a2c", "begun_unix": 1.8e9}
ENDED = [
    (0, 99, 0, 0, 1200, 12.5, 100, "time_limit"),
    (2, 120, 3, 0, 1452, float("nan"), 121, "넘어짐"),
]
BEGUN = [
    (0, 0, 0, 0, 0.5, 0.0, -1.0),
    (4, 0, 3, 0, float("nan"), float("nan"), float("nan")),
    (8, 100, 0, 1, 0.25, 0.0, 0.0),
]


if __name__ == "__main__":
    os.umask(0o022)
    tables = new_tables()
    tables["episodes"].extend(ENDED)
    tables["starts"].extend(BEGUN)
    kept.save(Path(__file__).with_name("v1.npz"), tables, IDENTITY)
