"""Functions and methods that an object keeps are the same after a way through a file."""

from __future__ import annotations

import gc
import json
import random
import types
from typing import Any

import numpy as np
from tests.support.taken_apart import Ball, there_and_back

from trackway.checkpoint.capture import Capture
from trackway.checkpoint.graph import NOTHING
from trackway.checkpoint.rebuild import Rebuild


class Walker:
    def __init__(self) -> None:
        self.rng, self.dice, self.steps = np.random.default_rng(3), random.Random(4), []
        self.draw, self.roll, self.note = self.rng.normal, self.dice.random, self.steps.append
        self.make, self.of = Ball.of, dict.fromkeys
        self.act, self.stand = types.MethodType(limp, self), self.stride

    stride = lambda self: len(self.steps)  # noqa: E731

    def use(self) -> list[Any]:
        self.note(self.roll())
        return [self.draw(), self.dice.random(), self.steps, self.act(), self.of("a"), self.make()]


def limp(walker: Walker) -> int:
    return -len(walker.steps)


def test_a_method_is_bound_to_what_was_made_of_its_owner() -> None:
    walker, fresh = Walker(), Walker()
    walker.use()
    found = there_and_back(walker, fresh)

    assert found is fresh
    assert [found.use() for _ in range(3)] == [walker.use() for _ in range(3)]
    assert found.stand() == 4
    assert found.draw.__self__ is found.rng


def counter(step: int) -> tuple[Any, Any]:
    count = 0

    def more(by: int = step, *, twice: bool = step > 2) -> int:
        nonlocal count
        count += 2 * by if twice else by
        return count

    more.called = [step]  # type: ignore[attr-defined]
    return more, lambda: count


def test_functions_made_within_others_are_made_of_their_code_and_share_their_cells() -> None:
    def taken() -> tuple[Any, Any]:
        (one, told), (other, other_told) = counter(2), counter(3)
        one()
        other()
        taker = Capture()
        taker.add("it", [other, other_told, one, told])
        graph = taker.finish()
        return json.loads(json.dumps(graph.document())), graph.arrays

    rebuild = Rebuild(*taken())
    gc.collect()
    other, other_told, one, told = rebuild.root("it", [NOTHING] * 4)
    rebuild.write()

    assert (one(), told(), other(), other_told(), other.called) == (4, 4, 12, 12, [3])


def test_functions_of_one_name_are_told_apart_by_their_code_and_none_stands_for_two() -> None:
    def program() -> list[Any]:
        return [*counter(2), lambda: "a", lambda: "b", *(lambda i=i: i for i in range(3))]

    one, fresh = program(), program()
    one[0]()
    wanted = [one[i] for i in (3, 2, 1, 6, 5, 0, 0)]
    found = there_and_back(wanted, fresh)

    assert [f() for f in found] == [f() for f in wanted]
    assert found[5] is found[6]
