"""Random generators go on where they were."""

from __future__ import annotations

import functools
import random
from typing import Any

import numpy as np
import pytest
import torch
from tests.support.taken_apart import there_and_back

from trackway.checkpoint.capture import Capture
from trackway.checkpoint.graph import OpaqueError


def test_a_generator_goes_on_where_it_was() -> None:
    kinds = (np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64)
    rngs: list[Any] = [np.random.Generator(kind(5)) for kind in kinds]
    rngs += [np.random.RandomState(kind(6)) for kind in (np.random.MT19937, np.random.PCG64)]
    rngs += [np.random.RandomState(3), random.Random(4)]
    for rng in rngs:
        rng.random()
    rngs[-2].randn()  # makes two numbers, and keeps one
    rngs[-1].gauss(0, 1)
    seeds = rngs[0].bit_generator.seed_seq
    seeds.spawn(2)
    found, found_seeds = there_and_back([rngs, seeds], None)

    def draw(rng: Any) -> list[float]:
        normal = rng.gauss if isinstance(rng, random.Random) else rng.normal
        return [normal(0, 1), normal(0, 1), rng.random()]

    assert [draw(rng) for rng in found] == [draw(rng) for rng in rngs]
    assert found_seeds is found[0].bit_generator.seed_seq
    assert found_seeds.spawn(1)[0].state == seeds.spawn(1)[0].state


def test_generators_that_draw_from_one_stream_still_do() -> None:
    rng = np.random.default_rng(1)
    of_old = np.random.RandomState(rng.bit_generator)
    found, found_old, bits = there_and_back([rng, of_old, rng.bit_generator], None)

    assert [found.random(), found_old.rand()] == [rng.random(), of_old.rand()]
    assert found.bit_generator is bits


def test_a_generator_that_the_process_shares_stays_that_one() -> None:
    legacy: Any = np.random.mtrand._rand
    shared = [vars(random)["_inst"], legacy, legacy._bit_generator, torch.default_generator]
    drawing = [functools.partial(random.gauss, 0, 1), np.random.standard_normal]
    found, found_drawing = there_and_back([shared, drawing], None)

    assert all(a is b for a, b in zip(found, shared, strict=True))
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    once = [draw() for draw in found_drawing]
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    assert once == [draw() for draw in drawing]


def test_a_stream_of_bits_of_somebodys_own_and_a_number_kept_of_it_are_named() -> None:
    kept = np.random.RandomState(np.random.PCG64(1))
    kept.randn()
    for thing in (kept, type("Mine", (np.random.PCG64,), {})(1)):
        with pytest.raises(OpaqueError, match="whose state is hidden"):
            Capture().add("it", thing)
