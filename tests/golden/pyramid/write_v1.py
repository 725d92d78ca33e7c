"""Wrote v1.npz, once. Run again only to begin a v2: what is here must open for ever."""

import os
from pathlib import Path

import numpy as np

from trackway.query import pyramid_file
from trackway.query.pyramid import Pyramid

IDENTITY = {"run": "/models/run", "attempt": "001-3f9a2c", "stream": "steps", "field": "reward"}


def values() -> np.ndarray:
    made = np.arange(3000, dtype=np.float32).reshape(1500, 2) / 8
    made[700, 0], made[701, 1] = np.nan, -np.inf
    return made


if __name__ == "__main__":
    os.umask(0o022)
    pyramid = Pyramid(2)
    pyramid.append(values())
    pyramid_file.save(Path(__file__).with_name("v1.npz"), pyramid, IDENTITY)
