"""A replay buffer comes back from the rows that were appended, wherever it has wrapped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.buffers import DictReplayBuffer, NStepReplayBuffer, ReplayBuffer
from stable_baselines3.her import HerReplayBuffer

from trackway.checkpoint.archive import pack_arrays
from trackway.errors import DamagedCheckpointError, MismatchError
from trackway.frameworks.sb3.replay_journal import (
    FOLDER,
    ReplayJournal,
    fill,
    is_appended,
    read_segments,
    row_arrays,
)

BOX = spaces.Box(-1, 1, (3,), np.float32)
KINDS: dict[str, Any] = {
    "plain": lambda: ReplayBuffer(10, BOX, BOX, n_envs=2),
    "dict": lambda: DictReplayBuffer(10, spaces.Dict(a=BOX, b=BOX), BOX, n_envs=2),
    "one array": lambda: ReplayBuffer(
        10, BOX, BOX, n_envs=2, optimize_memory_usage=True, handle_timeout_termination=False
    ),
}


class Filled:
    """A buffer and what a training does with it."""

    def __init__(self, kind: str) -> None:
        self.buffer, self.rng, self.timestep = KINDS[kind](), np.random.default_rng(0), 0

    def add(self, rows: int) -> None:
        for _ in range(rows):
            obs, next_obs = self.obs(), self.obs()
            actions = self.rng.random((2, 3), np.float32)
            self.buffer.add(obs, next_obs, actions, self.rng.random(2), np.zeros(2), [{}, {}])
            self.timestep += 2

    def obs(self) -> Any:
        def one() -> Any:
            return self.rng.random((2, 3), np.float32)

        return {"a": one(), "b": one()} if isinstance(self.buffer, DictReplayBuffer) else one()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("portions", [(4,), (4, 5), (4, 6), (7, 8), (9, 9, 9, 3), (3, 0, 12)])
def test_what_is_filled_from_the_segments_is_the_buffer(
    kind: str, portions: tuple[int, ...]
) -> None:
    filled = Filled(kind)
    journal, segments = ReplayJournal(filled.buffer, 2, 0), {}
    for rows in portions:
        filled.add(rows)
        journal.look(filled.timestep)
        while (segment := journal.cut()) is not None:
            segments[segment.name] = segment.arrays
    again = Filled(kind).buffer
    fill(again, journal.references(), segments)

    assert (again.pos, again.full) == (filled.buffer.pos, filled.buffer.full)
    held = len(next(iter(row_arrays(again).values()))) if again.full else again.pos
    for name, array in row_arrays(again).items():
        assert np.array_equal(array[:held], row_arrays(filled.buffer)[name][:held]), name


def test_a_row_is_written_once_and_a_resumed_training_goes_on_appending() -> None:
    filled = Filled("plain")
    journal = ReplayJournal(filled.buffer, 2, 0)
    filled.add(4)
    journal.look(filled.timestep)
    first = journal.cut()
    again = ReplayJournal(filled.buffer, 2, filled.timestep, journal.references())
    filled.add(2)
    again.look(filled.timestep)
    second = again.cut()

    assert first is not None
    assert second is not None
    assert [len(s.arrays["rewards"]) for s in (first, second)] == [4, 2]
    assert [name for name, _, _ in again.references()["segments"]] == [first.name, second.name]


def test_a_buffer_that_somebody_else_fills_is_written_anew() -> None:
    filled = Filled("plain")
    journal = ReplayJournal(filled.buffer, 2, 0)
    filled.add(4)
    filled.timestep = 2
    journal.look(filled.timestep)
    segment = journal.cut()

    assert segment is not None
    assert len(segment.arrays["rewards"]) == 4


@pytest.mark.parametrize("portions", [(6,), (6, 7)])
def test_rows_whose_rewards_were_given_anew_are_written_anew(portions: tuple[int, ...]) -> None:
    filled = Filled("plain")
    journal, segments = ReplayJournal(filled.buffer, 2, 0), {}

    def take() -> int:
        before = len(segments)
        journal.compare()
        while (segment := journal.cut()) is not None:
            segments[segment.name] = segment.arrays
        return len(segments) - before

    for rows in portions:
        filled.add(rows)
        journal.look(filled.timestep)
        assert take() == 1
    assert take() == 0
    filled.buffer.rewards[filled.buffer.pos - 2] *= 2.0
    assert take() == 1
    again = Filled("plain").buffer
    fill(again, journal.references(), segments)

    assert np.array_equal(again.rewards, filled.buffer.rewards)


def test_missing_and_damaged_segments_are_named(tmp_path: Path) -> None:
    references = {"segments": [["rows_x_0_1.npz", 0, 1]]}
    with pytest.raises(MismatchError, match="rows_x_0_1"):
        read_segments(tmp_path / "c.zip", references)
    (tmp_path / FOLDER).mkdir()
    whole = pack_arrays({"rewards": np.zeros(50)})
    (tmp_path / FOLDER / "rows_x_0_1.npz").write_bytes(whole[:-30])
    with pytest.raises(DamagedCheckpointError):
        read_segments(tmp_path / "c.zip", references)


class OfOnesOwn(ReplayBuffer):
    pass


def test_a_buffer_that_may_keep_more_than_rows_is_not_appended() -> None:
    hindsight = HerReplayBuffer.__new__(HerReplayBuffer)
    hindsight.copy_info_dict = True

    assert not is_appended(hindsight)
    assert not is_appended(OfOnesOwn.__new__(OfOnesOwn))
    assert is_appended(Filled("dict").buffer)
    assert is_appended(NStepReplayBuffer(10, BOX, BOX))
