"""What a program gives is left to it, unless the training has changed it."""

from __future__ import annotations

import functools
import itertools
import json
import threading
import weakref
from types import SimpleNamespace
from typing import Any

import mujoco
import numpy as np
import pytest

from trackway.checkpoint.capture import Capture
from trackway.checkpoint.named_data import NamedData
from trackway.checkpoint.rebuild import Rebuild
from trackway.checkpoint.surroundings import Surroundings

cache: Any = weakref.WeakKeyDictionary()
level, shared, table = 1, {"gain": [1.0]}, np.zeros(200_000)
limit = 3


class Climbs:
    best = 0.0
    limits = (0, 9)

    @staticmethod
    def up() -> None:
        global level
        level += 1
        further()

    def look(self) -> float:
        return self.best + float(table[0]) + len(self.limits) + len(cache)


def further() -> None:
    shared["gain"].append(2.0)


def counted(function: Any) -> Any:
    calls = [0]

    @functools.wraps(function)
    def counts(*arguments: Any) -> Any:
        calls[0] += 1
        return calls[0], function(*arguments)

    return counts


@counted
def rewarded() -> float:
    return limit * 2.0


@functools.cache
def doubled() -> int:
    return len(shared) * 2


def remembers(x: int, before: list[int] = [], *, sums: dict[str, int] = {"sum": 0}) -> int:  # noqa: B006
    before.append(x)
    sums["sum"] += x
    remembers.last = x  # type: ignore[attr-defined]
    return sum(before) + sums["sum"]


class Calls:
    @property
    def pace(self) -> int:
        return len(table)

    @pace.setter
    def pace(self, pace: int) -> None:
        level  # noqa: B018

    @counted
    def act(self) -> Any:
        return rewarded(), doubled(), remembers(1)


class Curve:
    """Nothing but attributes, as a schedule of Stable-Baselines3."""

    def __init__(self, value: Any, inner: Curve | None = None) -> None:
        self.value, self.inner = value, inner


class Steeper(Curve):
    pass


def looked_at(owner: Any, *names: str) -> Surroundings:
    surroundings = Surroundings()
    surroundings.look("owner", owner, names)
    return surroundings


def carried(taken: Surroundings, into: Any, *names: str, taker: Capture | None = None) -> list[str]:
    """Take, and put into another owner; what could not be taken."""
    taker = taker or Capture()
    taken.take(taker)
    graph = taker.finish()
    rebuild = Rebuild(json.loads(json.dumps(graph.document())), graph.arrays)
    looked_at(into, *names).put(rebuild)
    rebuild.write()
    return graph.unsupported


def test_words_and_enums_that_stay_as_they_are_take_nothing_from_a_checkpoint() -> None:
    solver = mujoco.mjtSolver.mjSOL_PGS
    owner = SimpleNamespace(
        words={"a", "b"}, names=(frozenset({"c", "d"}),), task={"solver": solver}
    )
    surroundings = looked_at(owner, *vars(owner))
    assert carried(surroundings, SimpleNamespace(), *vars(owner)) == []

    owner.words.add("c")
    owner.task["solver"] = mujoco.mjtSolver.mjSOL_CG
    fresh = SimpleNamespace(words={"a", "b"}, names=(), task={"solver": solver})
    told = carried(surroundings, fresh, *vars(owner))

    assert told == ["owner.words is a set whose order is another one in another process"]
    assert fresh.task == owner.task


def test_what_has_changed_is_put_back_and_the_rest_is_the_programs() -> None:
    owner = SimpleNamespace(rate=0.1, decay=0.9, best=float("nan"), seen=[1], size={"a": [2]})
    surroundings = looked_at(owner, *vars(owner))
    owner.rate = 0.2
    owner.seen.append(3)
    another = SimpleNamespace(rate=0.1, decay=0.5, best=7.0, seen=[], size={"a": [4]})

    assert carried(surroundings, another, *vars(another)) == []
    assert vars(another) == {
        "rate": 0.2,
        "decay": 0.5,
        "best": 7.0,
        "seen": [1, 3],
        "size": {"a": [4]},
    }


GIVERS: dict[str, Any] = {
    "object": lambda: SimpleNamespace(bonus=0.3, seen=[1], kept=1),
    "class": lambda: type("Walk", (), {"bonus": 0.3, "seen": [1], "kept": 1}),
    "module": lambda: {"bonus": 0.3, "seen": [1], "kept": 1},
}


@pytest.mark.parametrize("give", GIVERS.values(), ids=list(GIVERS))
def test_what_the_training_deletes_is_deleted_at_a_resume_as_well(give: Any) -> None:
    def delete(owner: Any, name: str) -> None:
        owner.pop(name) if isinstance(owner, dict) else delattr(owner, name)

    def left(owner: Any) -> set[str]:
        named = owner if isinstance(owner, dict) else vars(owner)
        return {"bonus", "seen", "kept"} & named.keys()

    owner, another, without = give(), give(), give()
    surroundings = looked_at(owner, "bonus", "seen", "kept", "never")
    delete(owner, "bonus")
    delete(owner, "seen")
    delete(without, "bonus")  # a program that has it no more

    assert carried(surroundings, another, "bonus", "seen", "kept") == []
    assert carried(surroundings, without, "bonus", "seen", "kept") == []
    assert left(another) == left(without) == {"kept"}


def test_what_is_shared_with_what_is_taken_stays_shared() -> None:
    both = {"by": 1.0}
    owner = SimpleNamespace(schedule=both)
    taker = Capture()
    surroundings = looked_at(owner, "schedule")
    taker.add("callback", [both])
    surroundings.take(taker)
    graph = taker.finish()
    another = SimpleNamespace(schedule={"by": 1.0})
    rebuild = Rebuild(graph.document(), graph.arrays)
    (made,) = rebuild.root("callback")
    looked_at(another, "schedule").put(rebuild)
    rebuild.write()

    assert another.schedule is made


def test_a_schedule_that_counts_goes_on_counting() -> None:
    def counting() -> Any:
        asked = 0

        def rate(left: float) -> float:
            nonlocal asked
            asked += 1
            return asked * left

        return rate

    owner, another = SimpleNamespace(rate=counting()), SimpleNamespace(rate=counting())
    surroundings = looked_at(owner, "rate")
    owner.rate(1.0)

    assert carried(surroundings, another, "rate") == []
    assert another.rate(1.0) == 2.0


@pytest.mark.parametrize(("was", "now"), [(0.0, -0.0), (1, True), (1, 1.0), (-0.0, 0)])
def test_what_is_equal_and_yet_another_is_noticed(was: Any, now: Any) -> None:
    def given() -> Any:
        return SimpleNamespace(rate=was, listed=[was], held=Curve(was))

    owner, another = given(), given()
    surroundings = looked_at(owner, *vars(owner))
    assert carried(surroundings, another, *vars(owner)) == []
    assert repr((another.rate, another.listed, another.held.value)) == repr((was, [was], was))

    owner.rate = owner.listed[0] = owner.held.value = now
    assert carried(surroundings, another, *vars(owner)) == []
    assert repr((another.rate, another.listed, another.held.value)) == repr((now, [now], now))


def exchanged(rate: Any) -> None:
    """The same values at other names."""
    made = vars(rate.inner)
    made["inner"], made["value"] = made.pop("value"), made.pop("inner")


CHANGES: dict[str, Any] = {
    "another value": lambda rate: setattr(rate.inner, "value", 2.0),
    "nothing": lambda rate: setattr(rate, "inner", None),
    "another object": lambda rate: setattr(rate, "inner", Steeper(1.0)),
    "another class": lambda rate: setattr(rate.inner, "__class__", Steeper),
    "another dict": lambda rate: setattr(rate.inner, "__dict__", {"value": 3.0, "inner": None}),
    "one less": lambda rate: delattr(rate.inner, "value"),
    "one more": lambda rate: setattr(rate.inner, "more", 1),
    "exchanged": exchanged,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_whatever_changes_within_an_object_is_noticed(change: Any) -> None:
    def given() -> Any:
        return SimpleNamespace(rate=Curve(0.5, Curve(1.0)))

    def told(x: Any) -> Any:
        return (type(x), {n: told(v) for n, v in vars(x).items()}) if isinstance(x, Curve) else x

    owner, another = given(), given()
    surroundings = looked_at(owner, "rate")
    taker = Capture()
    surroundings.take(taker)
    assert taker.graph.roots == {}

    change(owner.rate)
    assert carried(surroundings, another, "rate") == []
    assert told(another.rate) == told(owner.rate)


CHANGES_IN_CONTAINERS: dict[str, Any] = {
    "another value": lambda held: held["sizes"].__setitem__(0, True),
    "one more": lambda held: held["sizes"].append(2),
    "another list": lambda held: held["nested"].update(of=[4]),
    "another name": lambda held: held.__setitem__("width", held.pop("nested")),
    "another class": lambda held: held.update(kind=Steeper),
}


@pytest.mark.parametrize("change", CHANGES_IN_CONTAINERS.values(), ids=list(CHANGES_IN_CONTAINERS))
def test_whatever_changes_in_containers_of_plain_values_is_noticed(change: Any) -> None:
    def given() -> Any:
        held = {"sizes": [1, 1.0], "nested": {"of": [3], "flat": ()}, "kind": Curve}
        return SimpleNamespace(held=held)

    owner, another = given(), given()
    surroundings = looked_at(owner, "held")
    taker = Capture()
    surroundings.take(taker)
    assert taker.graph.roots == {}

    change(owner.held)
    assert carried(surroundings, another, "held") == []
    assert repr(another.held) == repr(owner.held)


@pytest.mark.parametrize("words", [{"a", "b"}, {1: {"a"}}], ids=["set", "dict"])
def test_whatever_changes_within_what_an_object_refers_to_is_noticed(words: Any) -> None:
    surroundings = looked_at(SimpleNamespace(rate=Curve(words)), "rate")
    assert carried(surroundings, SimpleNamespace(), "rate") == []

    (words if isinstance(words, set) else words[1]).add("c")
    (sentence,) = carried(surroundings, SimpleNamespace(), "rate")
    assert "is a set" in sentence


def test_an_unchanged_object_that_a_callback_holds_stays_shared() -> None:
    owner = SimpleNamespace(rate=Curve(0.5, Curve(1.0)))
    surroundings = looked_at(owner, "rate")
    taker = Capture()
    taker.add("callback", [owner.rate.inner])
    surroundings.take(taker)
    graph = taker.finish()
    another = SimpleNamespace(rate=Curve(0.5, Curve(1.0)))
    rebuild = Rebuild(graph.document(), graph.arrays)
    (made,) = rebuild.root("callback")
    looked_at(another, "rate").put(rebuild)
    rebuild.write()

    assert another.rate.inner is made


@pytest.mark.parametrize(
    ("later", "says"),
    [
        (lambda left: left, "does not find by its name"),
        ((x for x in ()), "whose state is hidden"),
    ],
)
def test_what_cannot_be_taken_or_found_again_is_told(later: Any, says: str) -> None:
    owner = SimpleNamespace(rate=0.1)
    surroundings = looked_at(owner, "rate")
    owner.rate = later
    another = SimpleNamespace(rate=0.3)

    (sentence,) = carried(surroundings, another, "rate")
    assert sentence.startswith("owner.rate is ")
    assert says in sentence
    assert another.rate == 0.3


def test_what_could_never_be_taken_is_told_unless_it_is_called() -> None:
    numbers = (n for n in range(9))
    owner = SimpleNamespace(numbers=numbers, lock=threading.Lock(), compiled=np.sin.at)
    owner.rate = lambda left: next(numbers)

    told = carried(looked_at(owner, *vars(owner)), SimpleNamespace())
    assert [sentence.split()[0] for sentence in told] == [
        "owner.lock",
        "owner.numbers",
        "owner.rate.<numbers>",
    ]


def test_a_schedule_that_goes_through_a_list_goes_on_in_it() -> None:
    def going() -> Any:
        rates = itertools.cycle([0.3, 0.2, 0.1])
        return lambda left: next(rates)

    owner, another = SimpleNamespace(rate=going()), SimpleNamespace(rate=going())
    surroundings = looked_at(owner, "rate")
    owner.rate(1.0)

    assert carried(surroundings, another, "rate") == []
    assert [another.rate(1.0) for _ in range(3)] == [0.2, 0.1, 0.3]


def test_the_data_that_code_names_is_found_through_what_it_calls() -> None:
    named = NamedData()
    named.follow([Climbs])

    (module, globals_named), (of_class, class_named) = (
        named.found[key] for key in (__name__, f"{__name__}:Climbs")
    )
    assert module is globals()
    assert globals_named == {"level", "shared", "table"}
    assert of_class is Climbs
    assert class_named == {"best", "limits"}


class Imports:
    def within(self) -> Any:
        import tests.support.treacherous as world
        from tests.support.treacherous import _GLOBAL_COUNT

        return world.GOALS, _GLOBAL_COUNT


def test_what_a_function_imports_is_looked_at_too() -> None:
    Imports().within()  # a module that has not been imported holds nothing yet
    named = NamedData()
    named.follow([Imports])

    assert named.found["tests.support.treacherous"][1] == {"GOALS", "_GLOBAL_COUNT"}


def test_what_functions_keep_is_found_by_their_names_and_put_back() -> None:
    def followed() -> Surroundings:
        named, surroundings = NamedData(), Surroundings()
        named.follow([Calls])
        # Through decorators to what they wrap, and through properties.
        assert named.found[__name__][1] == {"level", "limit", "shared", "table"}
        for key, (owner, names) in named.found.items():
            surroundings.look(key, owner, names)
        return surroundings

    remembers.last = 0  # type: ignore[attr-defined]
    surroundings = followed()
    nothing = Capture()
    surroundings.take(nothing)
    assert nothing.graph.roots == {}

    for _ in range(3):
        Calls().act()
    taker = Capture()
    surroundings.take(taker)
    graph = taker.finish()
    assert graph.unsupported == []
    expected = Calls().act()
    Calls().act()  # as a program that is elsewhere
    rebuild = Rebuild(json.loads(json.dumps(graph.document())), graph.arrays)
    followed().put(rebuild)
    rebuild.write()

    assert remembers.last == 1  # type: ignore[attr-defined]
    assert Calls().act() == expected


def test_a_large_array_is_not_copied_to_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    surroundings = Surroundings()
    surroundings.look("module", globals(), {"table", "level"})
    monkeypatch.setitem(globals(), "level", level)
    Climbs.up()
    taker = Capture()
    surroundings.take(taker)

    assert list(taker.graph.roots) == ["given module|level"]
    assert taker.graph.arrays == {}
