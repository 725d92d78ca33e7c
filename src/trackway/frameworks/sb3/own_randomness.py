"""Random numbers for work beside training, so that training draws the same ones without it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


class OwnRandomness:
    """A second state for the global generators of Python, NumPy and torch (CPU).

    Environments and policies may draw from the global generators. Within `installed` they draw
    from this state, and continue it the next time; outside nothing has happened.
    """

    def __init__(self, seed: int) -> None:
        self._python = random.Random(seed).getstate()
        self._numpy = np.random.RandomState(seed).get_state()
        self._torch = torch.Generator().manual_seed(seed).get_state()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Swap this state in, and out again at the end."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        # The legacy generator is what environments share without knowing; that is the point.
        python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
        generator = torch.get_rng_state()
        random.setstate(self._python)
        np.random.set_state(self._numpy)  # noqa: NPY002
        torch.set_rng_state(self._torch)
        self._python, self._numpy, self._torch = python, numpy, generator
