"""Key frames as columns of a part: what rows are simulated from, in the line of the first of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trackway.format.resim import CHECK, MODEL, ROWS, STATE

COLUMNS: Final = (STATE, ROWS, CHECK, MODEL)


@dataclass(frozen=True)
class Stretch:
    """Rows of one environment that are simulated from a key frame.

    Attributes:
        place: Of the first one among the part's rows.
        rows: How many.
        check: CRC of their simulated columns.
        state: What the simulation begins with.
        overrides: Where its model differs from the scene's, JSON.
    """

    env: int
    place: int
    rows: int
    check: int
    state: npt.NDArray[np.float64]
    overrides: str

    @property
    def end(self) -> int:
        return self.place + self.rows


def stretches_of(keys: pa.Table, rows: int) -> Iterator[Stretch]:
    """The key frames of a part of so many rows, in order."""
    lines = np.flatnonzero(keys[ROWS].is_valid().to_numpy())
    frames = keys.take(pa.array(lines)).to_pydict()
    overrides, last_env = "{}", -1
    for i, line in enumerate(lines.tolist()):
        env, place = divmod(line, rows)
        overrides = frames[MODEL][i] or ("{}" if env != last_env else overrides)
        last_env = env
        state = np.array(frames[STATE][i], np.float64)
        yield Stretch(env, place, frames[ROWS][i], frames[CHECK][i], state, overrides)


def keys_of(stretches: Sequence[Stretch], rows: int, lines: int) -> pa.Table:
    """What `stretches_of` reads: columns with a value where a stretch begins."""
    at = np.array([stretch.env * rows + stretch.place for stretch in stretches], np.int64)
    order = np.full(lines, -1)
    order[at] = np.arange(len(at))
    places = pa.array(order, mask=order < 0)
    told: dict[str, tuple[list[Any], pa.DataType]] = {
        STATE: ([stretch.state for stretch in stretches], pa.list_(pa.float64())),
        ROWS: ([stretch.rows for stretch in stretches], pa.int32()),
        CHECK: ([stretch.check for stretch in stretches], pa.uint32()),
        MODEL: (_changes([s.overrides for s in stretches], stretches), pa.string()),
    }
    return pa.table({n: pa.array(values, kind).take(places) for n, (values, kind) in told.items()})


def _changes(overrides: Sequence[str], stretches: Sequence[Stretch]) -> list[str | None]:
    """Overrides where they are not those of the stretch before."""
    return [
        now
        if i == 0 or stretches[i - 1].env != stretches[i].env or overrides[i - 1] != now
        else None
        for i, now in enumerate(overrides)
    ]
