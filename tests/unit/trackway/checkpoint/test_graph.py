"""Objects taken apart and put together again are the same values, shared where they were shared."""

from __future__ import annotations

import array
import collections
import datetime as dt
import decimal
import enum
import fractions
import functools
import itertools
import json
import math
import random
import re
import uuid
import zoneinfo
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tests.support.taken_apart import Ball, there_and_back

from trackway.checkpoint import containers
from trackway.checkpoint.capture import Capture
from trackway.checkpoint.fingerprint import fingerprint
from trackway.checkpoint.graph import DoesNotFitError, OpaqueError
from trackway.checkpoint.rebuild import Rebuild

Pair = collections.namedtuple("Pair", "left right")


class Side(enum.Flag):
    LEFT = 1
    RIGHT = 2
    BOTH = 3
    BACK = 4
    SINISTER = LEFT


class Bits(enum.IntFlag):
    LOW = 1


class Mood(enum.StrEnum):
    CALM = "calm"
    QUIET = CALM


VALUES = [
    [None, True, 2**80, "é", -0.0, math.inf, b"\0\1", bytearray(b"2")],
    (1, (2.5, [3]), {"a": {"b": ()}}, frozenset({1, 2}), range(3), slice(1, None, 2)),
    {1: "one", None: 2, "nested": collections.OrderedDict(b=1, a=2)},
    collections.deque([{"r": -1.5, "l": 3}, {"r": 0.5, "l": 4}], maxlen=7),
    collections.Counter("banana"),
    [np.float32(1.5), np.int64(-3), np.bool_(True), np.dtype("<f4")],
    Pair([1], Pair(2, 3)),
    np.arange(6, dtype=np.float16).reshape(2, 3).T,
    np.array([{"a": 1}, None], dtype=object),
    [np.array([["S", "Fé"], ["", "G"]]), np.array([b"SFF", b"G"]), np.zeros((0, 2), "U1")],
    [np.array(["2025-01-01"], "M8[D]"), np.array(1 + 2j), np.longdouble([1]) / 3],
    np.zeros(2, [("pos", "f4", (2,)), ("who", "U3"), ("of", [("a", "i1"), ("b", "M8[s]")])]),
    np.ones(2, {"names": ["a", "b"], "formats": ["i1", "f8"], "offsets": [0, 8], "itemsize": 24}),
    np.zeros((2, 0), [(("title", "name"), "f8")]),
    [np.str_("é"), np.bytes_(b"a"), np.datetime64(3, "s"), np.complex64(2j), np.timedelta64(1)],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    found = there_and_back(value, None)

    assert type(found) is type(value)
    assert repr(found) == repr(value)


def test_a_member_of_an_enumeration_is_itself_whatever_its_name() -> None:
    members: list[Any] = [Side.LEFT, Side.SINISTER, Side.BOTH, Side.RIGHT | Side.BACK, Side(0)]
    members += [Bits.LOW, Bits.LOW | 8, Bits(8), Bits(0), ~Bits.LOW, Mood.CALM, Mood.QUIET]
    found = there_and_back(members, None)

    assert all(a is b for a, b in zip(found, members, strict=True)), found
    assert there_and_back({Side.LEFT | Side.BACK: 1}, None) == {Side.LEFT | Side.BACK: 1}


def test_what_is_of_a_class_made_in_a_function_is_put_back_wherever_it_was() -> None:
    class Way(enum.Enum):
        UP = 1

    @dataclass
    class Move:
        way: Way

    moves = collections.deque([Move(Way.UP)])
    found = there_and_back(moves, collections.deque())

    assert found == moves
    assert type(found[0]) is Move


@pytest.mark.parametrize(
    ("kind", "member"),
    [("Mood", "WILD"), ("Mood", 3), ("Side", 8), ("Ball", "LEFT"), ("math:sin", 0)],
)
def test_a_member_that_the_program_no_longer_has_does_not_fit(kind: str, member: Any) -> None:
    name = kind if ":" in kind else f"{__name__}:{kind}"
    document = {"format": 1, "roots": {"it": {"e": name, "v": member}}, "nodes": []}

    with pytest.raises(DoesNotFitError, match="it was"):
        Rebuild(document, {}).root("it")


def test_an_iterator_goes_on_where_it_was() -> None:
    levels, words = [1, 2, 3], collections.deque("abc")
    begun: list[Any] = [
        *(
            iter(levels),
            iter((1, 2, 3)),
            iter(range(9)),
            iter({"a": 1, "b": 2}.items()),
            iter("né"),
        ),
        *(iter(words), reversed(levels), reversed((1, 2, 3)), iter({5, 6, 7}), iter(b"12")),
        *(enumerate(levels, 4), zip(levels, words, strict=True), map(math.sqrt, levels)),
        *(filter(None, levels), itertools.count(2.5, 0.5), itertools.cycle(levels)),
        *(itertools.chain(levels, words), itertools.islice(itertools.count(), 1, 9, 2)),
        *(itertools.accumulate(levels), itertools.repeat(3, 5), iter(np.arange(3))),
    ]
    ended = iter([1])
    for each in (*begun, ended):
        next(each)
    found, (found_levels, found_end) = there_and_back([begun, [levels, ended]], None)

    assert list(found_end) == list(ended) == []
    assert list(itertools.islice(found[15], 5)) == list(itertools.islice(begun[15], 5))
    found_levels.append(4)
    assert next(found[0]) == 2
    assert [*found[0]] == [3, 4], "it no longer goes through the list that is beside it"
    next(begun[0])
    for one, other in zip(found[1:], begun[1:], strict=True):
        assert next(one, None) == next(other, None)


MOMENT = dt.datetime(2026, 3, 29, 2, 30, 1, 999_999, dt.UTC)
OF_THE_LIBRARY: list[Any] = [
    *(1j, complex(-0.0, math.nan), decimal.Decimal("-0.10"), decimal.Decimal("sNaN12")),
    *(
        fractions.Fraction(-7, 3),
        re.compile("né*", re.IGNORECASE),
        re.compile(b"a|b"),
        uuid.UUID(int=5),
    ),
    *(array.array("d", [1.5, math.nan]), array.array("q"), array.array("B", b"ab")),
    *(dt.date.max, dt.timedelta(-1, 5, 7), dt.time(1, 2, 3, 4, fold=1), MOMENT),
    *(MOMENT.replace(tzinfo=None), MOMENT.astimezone(zoneinfo.ZoneInfo("Asia/Seoul"))),
    *(MOMENT.astimezone(dt.timezone(dt.timedelta(hours=9), "KST")), dt.UTC),
]


@pytest.mark.parametrize("value", OF_THE_LIBRARY, ids=repr)
def test_a_value_of_the_library_comes_back_as_it_was(value: Any) -> None:
    found = there_and_back(there_and_back([value], None), None)[0]

    assert type(found) is type(value)
    assert repr(found) == repr(value)
    assert getattr(found, "fold", 0) == getattr(value, "fold", 0)


class Settings(dict[str, Any]):
    """Its entries are its attributes."""

    def __init__(self, **entries: Any) -> None:
        super().__init__(**entries)
        self.__dict__ = self


class History(collections.deque[Any]):
    """Counts what it has seen."""

    seen = 0

    def append(self, x: Any) -> None:
        self.seen += 1
        super().append(x)


class Rows(list[Any]):
    __slots__ = ("name",)

    def __iter__(self) -> Any:
        raise AssertionError("nobody asks it")


class Sums(collections.defaultdict[str, float]):
    def __setitem__(self, name: str, x: float) -> None:
        super().__setitem__(name, round(x))


class Ordered(collections.OrderedDict[str, Any]):
    pass


def test_what_inherits_from_a_container_holds_what_it_held_and_has_its_attributes() -> None:
    settings, history, rows = Settings(gait={"hz": 2.0}), History(maxlen=2), Rows([1.5, {"a": 1}])
    rows.name, rows[1]["self"] = "first", rows
    for i in range(3):
        history.append(i)
    sums, ordered = Sums(float), Ordered(b=1, a=history)
    dict.__setitem__(sums, "r", 0.25)
    ordered.move_to_end("b")
    counted = type("Counted", (collections.Counter,), {"__module__": __name__})("abb")
    fresh = [Settings(), History(maxlen=9), Rows(), Sums(int), Ordered(), type(counted)()]
    found = there_and_back([settings, history, rows, sums, ordered, counted], [*fresh])

    assert all(a is b for a, b in zip(found, fresh, strict=True))
    assert found[0].gait == found[0]["gait"] == {"hz": 2.0}
    assert found[0].__dict__ is found[0]
    found[1].append(3)
    assert (list(found[1]), found[1].maxlen, found[1].seen) == ([2, 3], 2, 4)
    assert (list.__len__(found[2]), found[2][0], found[2].name) == (2, 1.5, "first")
    assert found[2][1]["self"] is found[2]
    assert (dict(found[3]), found[3].default_factory) == ({"r": 0.25}, float)
    assert list(found[4].items()) == [("a", found[1]), ("b", 1)]
    assert found[5] == {"a": 1, "b": 2}


def test_what_inherits_from_a_container_is_made_where_the_program_has_none() -> None:
    history = History([1, 2], maxlen=2)
    history.append(3)
    found, settings = there_and_back([history, Settings(a=1)], None)

    assert (type(found), list(found), found.maxlen, found.seen) == (History, [2, 3], 2, 1)
    assert settings.a == 1
    settings.b = 2
    assert settings == {"a": 1, "b": 2}


def test_equal_ones_have_one_fingerprint_in_whichever_order_attributes_were_made() -> None:
    def told(*names: str) -> str:
        history = History([1])
        for name in names:
            setattr(history, name, [name])
        taker = Capture()
        taker.add("it", history)
        return fingerprint(taker.finish())

    assert told("a", "b") == told("b", "a") != told("a", "c")


def test_many_infos_in_a_container_of_its_own_are_held_in_one_node() -> None:
    history = History(INFOS, maxlen=50)
    taker = Capture()
    taker.add("it", [history])

    assert [node for node in taker.graph.nodes[2:] if node is not None] == []
    assert list(there_and_back([history], None)[0]) == INFOS


@pytest.mark.parametrize(
    "node",
    [
        {"k": "cloud"},
        {"k": "value", "t": "Pattern", "v": ["(", 0]},
        {"k": "value", "t": "ZoneInfo", "v": ["No/Where"]},
        {"k": "value", "t": "Popen", "v": []},
        {"k": "bits", "bits": "seed", "v": None},
        {"k": "iterator", "f": "eval", "v": ["1"], "s": []},
        {"k": "inherited", "b": "list", "c": f"{__name__}:Settings", "v": [], "d": {}},
    ],
    ids=str,
)
def test_what_nobody_knows_here_does_not_fit(node: Any) -> None:
    document = {"format": 1, "roots": {"it": {"r": 0}}, "nodes": [node]}

    with pytest.raises(DoesNotFitError, match=r"it (is|was) "):
        Rebuild(document, {}).root("it")


def test_a_set_is_taken_only_where_what_is_made_of_it_goes_on_like_it() -> None:
    taken = 0
    for seed in range(300):
        rng, cells, growing = random.Random(seed), seed % 2, seed % 3
        one: set[Any] = set()

        def change(*both: set[Any], rng: Any = rng, cells: int = cells, least: float = 0.0) -> None:
            k = (rng.randrange(9), rng.randrange(9)) if cells else rng.randrange(200)
            add = rng.random() >= least
            for each in both:
                (each.add if add else each.discard)(k)

        for _ in range(rng.randrange(60)):
            change(one, least=0.4 if growing else 0.0)
        try:
            other = there_and_back([one], None)[0]
        except OpaqueError:
            continue
        taken += 1
        for _ in range(60):
            change(one, other, least=0.4)
            assert list(one) == list(other)
        assert [one.pop() for _ in range(len(one))] == [other.pop() for _ in range(len(other))]

    assert taken > 100


@pytest.mark.parametrize("left", [0, 1, 4, 39])
def test_a_set_from_which_something_was_removed_is_not_taken(left: int) -> None:
    seen = set(range(40))
    for i in range(left, 40):
        seen.remove(i)

    with pytest.raises(OpaqueError, match="it is a set whose order cannot be made again"):
        Capture().add("it", seen)
    seen.clear()
    assert there_and_back(seen, None) == set()


def test_a_namespace_is_made_where_the_program_has_none() -> None:
    assert there_and_back([SimpleNamespace(a=[1])], None) == [SimpleNamespace(a=[1])]


class Stubborn:
    def state_dict(self, prefix: str) -> dict[str, Any]:
        return {prefix: 1}

    def load_state_dict(self, state: Any) -> None:
        pass


def test_what_raises_when_it_is_looked_into_is_named() -> None:
    taker = Capture()
    taken, _ = taker.attempt([Stubborn()], "env")

    assert not taken
    assert taker.graph.unsupported[0].startswith("env[0] cannot be taken: TypeError: ")


def test_what_was_shared_is_shared_and_a_circle_is_one() -> None:
    ball, row = Ball(), np.arange(4.0)
    ball.parts = {"row": row, "view": row[1:3], "again": row, "self": ball}
    found = there_and_back(ball, fresh := Ball(9.0))

    assert found is fresh
    assert found.parts["self"] is found
    assert found.parts["row"] is found.parts["again"]
    found.parts["row"][1] = 7.0
    assert found.parts["view"].tolist() == [7.0, 2.0]


def test_what_is_taken_is_a_copy() -> None:
    rows, names = np.zeros(3), ["a"]
    taker = Capture()
    taker.add("it", [rows, names])
    rows[:], names[:] = 1.0, ["b"]

    assert taker.finish().arrays["0"].tolist() == [0.0, 0.0, 0.0]
    assert taker.graph.nodes[-1]["v"] == ["a"]


INFOS = [{"r": i / 7, "l": i, "t": math.inf if i == 3 else -0.0, "id": str(i)} for i in range(40)]


MANY = {
    "a window": collections.deque(INFOS, maxlen=100),
    "one is referred to later": [tuple(INFOS), INFOS[5]],
    "one is known already": [INFOS[5], INFOS],
    "one is there twice": [*INFOS, INFOS[5]],
    "one has another key": [*INFOS, {"other": 1}],
    "one holds a number of NumPy's": [*INFOS[:-1], {**INFOS[-1], "l": np.int64(1)}],
    "all hold lists": [{**info, "l": [i]} for i, info in enumerate(INFOS)],
    "empty": [{} for _ in INFOS],
    "keys that are equal but not the same": [{i: 0.0} for i in (*(1,) * 40, True)],
}


@pytest.mark.parametrize("thing", MANY.values(), ids=MANY)
def test_many_dicts_are_written_as_a_node_for_each(
    thing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken() -> str:
        taker = Capture()
        taker.add("it", thing)
        assert len(taker.originals) == len(taker.graph.nodes)
        return json.dumps(taker.finish().document())

    packed = taken()
    monkeypatch.setattr(containers, "_MANY", math.inf)

    assert packed == taken()
    assert repr(there_and_back(thing, None)) == repr(thing)


def test_infos_of_episodes_are_held_in_one_node_until_they_are_written() -> None:
    taker = Capture()
    taker.add("it", collections.deque(INFOS, maxlen=100))

    assert [node for node in taker.graph.nodes[1:] if node is not None] == []


def test_many_dicts_beside_what_cannot_be_taken_leave_no_trace() -> None:
    taker = Capture(boundaries=(Ball,))
    taker.add("it", Ball(parts={"infos": INFOS, "bad": (x for x in ())}))
    taker.add("infos", INFOS)
    graph = taker.finish()

    assert graph.unsupported[0].startswith("it.parts['bad'] is a ")
    rebuild = Rebuild(graph.document(), graph.arrays)
    assert rebuild.root("infos") == INFOS


def test_what_could_not_be_taken_leaves_no_trace_and_its_neighbours_are_taken() -> None:
    shared = [1]
    taker = Capture()
    with pytest.raises(OpaqueError):
        taker.add("bad", [shared, {"x", "y"}])
    taker.add_entries("some", {"shared": shared, "bad": (x for x in ()), "again": shared})
    graph = taker.finish()

    found = Rebuild(graph.document(), graph.arrays).root("some")
    assert found == {"shared": [1], "again": [1]}
    assert found["shared"] is found["again"]
    assert len(graph.nodes) == len(taker.originals) == 2
    assert [sentence.partition(" is ")[0] for sentence in graph.unsupported] == ["some['bad']"]


@pytest.mark.parametrize(
    ("thing", "where"),
    [
        ({"a": [0, {"x", "y"}]}, "it['a'][1] is a set"),
        (Pair(1, np.zeros(1, "i4,O")), "it.right is an array of [("),
        (SimpleNamespace(inner=Ball(parts={2: (x for x in ())})), "it.inner.parts[2] is a "),
        (np.array([object.__new__(type("C", (), {})), {"x", "y"}], dtype=object), "it.flat[1] is"),
        (functools.partial(max, {"x", "y"}), "it[0] is a set"),
        ([np.array([[1], "a"], dtype=object)[1:]], "it[0] is a view of an array of objects"),
        ({1: torch.eye(2).to_sparse()}, "it[1] is a Tensor of torch.float32, torch.sparse_coo"),
    ],
    ids=lambda x: str(x)[:12],
)
def test_what_cannot_be_taken_is_named_with_its_place(thing: Any, where: str) -> None:
    with pytest.raises(OpaqueError) as caught:
        Capture().add("it", thing)

    assert str(caught.value).startswith(where)
