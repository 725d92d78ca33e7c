"""What is not as it was when a checkpoint was taken, and what that means for going on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

Facts = Mapping[str, Any]

# Settings by what a change of them means. All others make it another training.
_RECORDING: Final = frozenset(
    {"record", "steps_max_gb", "precision", "save_frequency", "checkpoint_frequency"}
    | {"video_interval", "video_duration", "keep_last", "keep_every", "keep_best"}
)
_EVALUATION: Final = frozenset({"eval_frequency", "num_eval_episodes"})
_MEANING: Final = {
    "num_parallel_envs": "running episodes are given up and new ones begin",
    "vec_env": "running episodes are given up and new ones begin",
    "device": "another device rounds differently",
    "seed": "the seed plays no part any more: the state of every generator comes with the checkpoint",
    "total_timesteps": "what follows the progress of training (learning rate, curriculum) is "
    "stretched over the new total",
}


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was.

    Attributes:
        what: Its name: `torch`, `cpu`, `ppo.learning_rate`.
        then, now: Its values, as text.
        means: What follows for the continuation.
        another_training: Whether going on is a decision of its own, to be asked for.
    """

    what: str
    then: str
    now: str
    means: str
    another_training: bool = False

    def __str__(self) -> str:
        return f"{self.what} was {self.then}, is {self.now}: {self.means}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find_differences(then: Facts, now: Facts) -> list[Difference]:
    """Compare what a manifest keeps of a start: `versions`, `machine`, `git`, `config`.

    What one of them does not tell is not compared.
    """
    return [
        *_versions(_both("versions", then, now)),
        *_machine(_both("machine", then, now)),
        *_code(_both("git", then, now)),
        *_settings(_both("config", then, now)),
    ]


def _both(name: str, then: Facts, now: Facts) -> tuple[Facts, Facts]:
    return then.get(name) or {}, now.get(name) or {}


def _versions(facts: tuple[Facts, Facts]) -> Iterator[Difference]:
    for name, was, is_now in _changed(*facts):
        means = "exact only if these versions compute the same bits"
        yield Difference(name, was, is_now, means)


def _machine(facts: tuple[Facts, Facts]) -> Iterator[Difference]:
    for name, was, is_now in _changed(*facts):
        if name in {"cpu", "processor"}:
            means = "another processor may round differently; exact only if it does not"
            yield Difference(name, was, is_now, means)
        elif name == "threads":
            means = "sums over another number of threads may round differently"
            yield Difference(name, was, is_now, means)


def _code(facts: tuple[Facts, Facts]) -> Iterator[Difference]:
    then, now = facts
    if not then or not now:
        return
    if then.get("commit") != now.get("commit"):
        means = "exact only if nothing changed that the training uses"
        yield Difference("code", _commit(then), _commit(now), means)
    elif then.get("dirty") or now.get("dirty"):
        means = "files differ from the commit; exact only if they did so then in the same way"
        yield Difference("code", _commit(then), _commit(now), means)


def _commit(git: Facts) -> str:
    return str(git.get("commit"))[:10] + (" with changes" if git.get("dirty") else "")


def _settings(facts: tuple[Facts, Facts]) -> Iterator[Difference]:
    then, now = facts
    for table in then:
        for name, was, is_now in _changed(then[table], now.get(table, {})):
            if name in _RECORDING:
                yield Difference(f"{table}.{name}", was, is_now, "only the recording is another")
            elif name in _EVALUATION:
                yield Difference(f"{table}.{name}", was, is_now, "only the evaluations are others")
            else:
                means = _MEANING.get(name, "it is another training from here on")
                other = name != "total_timesteps"
                yield Difference(f"{table}.{name}", was, is_now, means, another_training=other)


def _changed(then: Facts, now: Facts) -> Iterator[tuple[str, str, str]]:
    for name in then:
        if name in now and then[name] != now[name]:
            yield name, str(then[name]), str(now[name])
