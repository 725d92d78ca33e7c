"""Steps that a resumed training makes a second time, compared with what was recorded the first time.

What a dead attempt recorded beyond the checkpoint is the tail. The attempt that goes on makes the same
steps again, then new ones.
"""

from __future__ import annotations

from dataclasses import replace

from trackway.storage.compare import compare
from trackway.storage.difference import Comparison
from trackway.storage.line import Stretch, begin_timestep, of_rank, rank_of
from trackway.storage.places import AttemptFolder
from trackway.storage.reader import describe, end_row

STEPS = "steps"


def find_tail(attempt: AttemptFolder, begin: int) -> Stretch | None:
    """The longest record of an earlier attempt beyond timestep `begin`; None where there is none.

    Args:
        attempt: The one that goes on from there.
        begin: Timesteps that had been made by then.
    """
    found: list[tuple[int, Stretch]] = []
    for earlier in of_rank(attempt.run, rank_of(attempt)):
        if earlier.name == attempt.name:
            break
        folder = earlier.stream(STEPS)
        if not folder.path.is_dir() or end_row(folder) == 0:
            continue
        began = begin_timestep(earlier)
        end = began + end_row(folder) * describe(folder)[1]
        if began <= begin < end:
            found.append((end, Stretch(folder, began, end)))
    return max(found, key=lambda each: each[0])[1] if found else None


def compare_tail(attempt: AttemptFolder, begin: int, tail: Stretch) -> Comparison:
    """Compare the steps that were made twice, as far as both attempts have them."""
    mine = Stretch(attempt.stream(STEPS), begin)
    made = begin + end_row(mine.folder) * describe(mine.folder)[1]
    end = min(made, tail.end or made)
    return compare(STEPS, [replace(tail, end=end)], [replace(mine, end=end)])
