"""A replay buffer on disk: what was added since the last time is appended, nothing is rewritten.

    rows added     0 ────────── 4,000 ─────── 8,000 ── 9,500
    segments       └ rows_…_0_4000 ┘└ …_4000_8000 ┘└ …_8000_9500, cut when a checkpoint wants it

A checkpoint names the segments that hold the rows that its buffer held. Segments are immutable and
have names that no other training can take. A buffer of a million transitions is 444 MB; what a training adds in
ten seconds a hundredth of it.
"""

from __future__ import annotations

import secrets
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3 import HerReplayBuffer
from stable_baselines3.common import buffers
from stable_baselines3.common.buffers import DictReplayBuffer, ReplayBuffer

from trackway.checkpoint.archive import unpack_arrays
from trackway.checkpoint.assemble import REPLAY_FOLDER as FOLDER
from trackway.errors import DamagedCheckpointError, MismatchError

Arrays = dict[str, "np.ndarray[Any, Any]"]

_CUT_BYTES = 4 << 20
_APPENDED = {ReplayBuffer, DictReplayBuffer, getattr(buffers, "NStepReplayBuffer", None)}
_ROWS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


@dataclass(frozen=True)
class Segment:
    """Rows of a buffer, copied: name and arrays, [rows, num_envs, …]."""

    name: str
    arrays: Arrays


class ReplayJournal:
    """The appended form of one buffer.

    Args:
        buffer: Of the learner.
        num_envs: Transitions of a row.
        known: What a checkpoint said of the buffer (`references`), where the segments lie at hand.
        timestep: When the buffer was as it is now.
    """

    def __init__(
        self,
        buffer: ReplayBuffer,
        num_envs: int,
        timestep: int,
        known: Mapping[str, Any] | None = None,
    ) -> None:
        self._buffer, self._num_envs = buffer, num_envs
        self._token = secrets.token_hex(4)
        self._segments: list[tuple[str, int, int]] = []
        self._written = self._offset = self._rows = self._timestep = self._pos = 0
        row_bytes = sum(a.nbytes // len(a) for a in row_arrays(buffer).values())
        self._row_bytes, self._rows_at_once = row_bytes, max(1, 4 * _CUT_BYTES // row_bytes)
        # Of the rows that are written, to see whether somebody has given others since.
        self._rewards = np.array(buffer.rewards)
        self._begin(timestep)
        if known is not None and known["rows"] == self._rows:
            self._segments = [tuple(segment) for segment in known["segments"]]
            self._offset = known["offset"]
            self._written = self._offset + self._rows

    @property
    def due(self) -> bool:
        """Whether enough rows wait to be worth a segment."""
        waiting = self._offset + self._rows - self._written
        return waiting * self._row_bytes >= _CUT_BYTES

    def is_of(self, buffer: Any) -> bool:
        """Whether it is that of this buffer; the training may have put another one in its place."""
        return buffer is self._buffer

    def look(self, timestep: int) -> None:
        """Take note of the rows added since; call it before the others."""
        added = (timestep - self._timestep) // self._num_envs
        size = self._buffer.buffer_size
        if (self._pos + added) % size != self._buffer.pos:
            self._begin(timestep)  # somebody else has filled it
            return
        self._timestep, self._pos = timestep, int(self._buffer.pos)
        end = self._offset + self._rows + added
        self._rows = int(self._buffer.size())
        self._offset = end - self._rows
        self._written = max(self._written, self._offset)
        self._segments = [s for s in self._segments if s[2] > self._offset]

    def compare(self) -> None:
        """Begin anew where rewards have been rewritten; before a checkpoint."""
        size, end = self._buffer.buffer_size, self._offset + self._rows
        first = (self._buffer.pos - self._rows) % size
        count = min(self._written, end) - self._offset
        parts = (slice(first, min(first + count, size)), slice(0, max(0, first + count - size)))
        own, now = (x.view(f"u{x.itemsize}") for x in (self._rewards, self._buffer.rewards))
        if any(not np.array_equal(own[part], now[part]) for part in parts):
            self._begin(self._timestep)

    def cut(self) -> Segment | None:
        """Copy the rows that no segment has, at most some megabytes of them; None if there are none."""
        end = self._offset + self._rows
        start, stop = self._written, min(end, self._written + self._rows_at_once)
        if start == stop:
            return None
        first = (self._buffer.pos - (end - start)) % self._buffer.buffer_size
        index = np.arange(first, first + stop - start) % self._buffer.buffer_size
        name = f"rows_{self._token}_{start}_{stop}.npz"
        self._segments.append((name, start, stop))
        self._written = stop
        self._rewards[index] = self._buffer.rewards[index]
        return Segment(name, {key: array[index] for key, array in row_arrays(self._buffer).items()})

    def references(self) -> dict[str, Any]:
        """What a checkpoint keeps of the buffer: its segments, and how they lie in it."""
        return {
            "segments": list(self._segments),
            "offset": self._offset,
            "rows": self._rows,
            "pos": int(self._buffer.pos),
            "full": bool(self._buffer.full),
            # Where one array holds obs and next obs, the newest next obs lies beyond the newest row.
            "beyond": self._beyond(),
            "episodes": {name: getattr(self._buffer, name) for name in _episodes_of(self._buffer)},
        }

    def _begin(self, timestep: int) -> None:
        self._timestep, self._pos = timestep, int(self._buffer.pos)
        self._offset, self._rows = self._written, int(self._buffer.size())
        self._segments = []

    def _beyond(self) -> Any:
        buffer = self._buffer
        return buffer.observations[buffer.pos] if buffer.optimize_memory_usage else None


def is_appended(buffer: Any) -> bool:
    """Whether rows of such a buffer never change once they are added; hindsight keeps them, too."""
    kind = type(buffer)
    hindsight = kind is HerReplayBuffer and not buffer.copy_info_dict
    return hindsight or kind in _APPENDED


def _episodes_of(buffer: Any) -> tuple[str, ...]:
    """Arrays that tell to which episodes rows belong; they are rewritten when one ends."""
    hindsight = isinstance(buffer, HerReplayBuffer)
    return ("ep_start", "ep_length", "_current_ep_start") if hindsight else ()


def row_arrays(buffer: Any) -> Arrays:
    """The arrays with a row for each step, live, [buffer_size, num_envs, …]."""
    found: Arrays = {}
    for name in _ROWS:
        value = getattr(buffer, name, None)
        if isinstance(value, Mapping):
            found |= {f"{name}.{key}": array for key, array in value.items()}
        elif value is not None:
            found[name] = value
    return found


def read_segments(zip_path: Path, references: Mapping[str, Any]) -> dict[str, Arrays]:
    """The segments that a checkpoint names, from the folder beside it.

    Raises:
        MismatchError: One is missing.
        DamagedCheckpointError: One is not as it was written.
    """
    found = {}
    for name, _, _ in references["segments"]:
        path = zip_path.parent / FOLDER / name
        try:
            found[name] = unpack_arrays(path.read_bytes())
        except FileNotFoundError:
            raise MismatchError(zip_path, f"its replay buffer needs {path}") from None
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise DamagedCheckpointError(path, str(error)) from error
    return found


def check_fit(buffer: Any, references: Mapping[str, Any], segments: Mapping[str, Arrays]) -> None:
    """Compare a buffer with the one that the references tell of.

    Raises:
        ValueError: The rows do not fit it.
    """
    if buffer is None:
        raise ValueError("it has a replay buffer, and here there is none")
    offset, rows, size = references["offset"], references["rows"], buffer.buffer_size
    held = sum(
        min(stop, offset + rows) - max(start, offset) for _, start, stop in references["segments"]
    )
    if held != rows:
        raise ValueError(f"of the {rows} rows of its replay buffer it names {held}")
    if rows > size or references["full"] != (rows == size):
        full = "full with" if references["full"] else "holding"
        raise ValueError(
            f"its replay buffer was {full} {rows} rows, and there is room for {size}: give the same "
            "buffer_size"
        )
    here = {name: array.shape[1:] for name, array in row_arrays(buffer).items()}
    here |= {name: getattr(buffer, name).shape for name in _episodes_of(buffer)}
    whole = {name: array.shape for name, array in references.get("episodes", {}).items()}
    for arrays in segments.values():
        there = {name: array.shape[1:] for name, array in arrays.items()} | whole
        for name in sorted(here.keys() | there.keys()):
            if here.get(name) != there.get(name):
                raise ValueError(
                    f"{name} of its replay buffer has shape {there.get(name)} there, {here.get(name)} "
                    "here: build the same one"
                )


def fill(buffer: Any, references: Mapping[str, Any], segments: Mapping[str, Arrays]) -> None:
    """Make the buffer, which fits (`check_fit`), what the references say."""
    offset, rows, size = references["offset"], references["rows"], buffer.buffer_size
    own = row_arrays(buffer)
    for name, start, stop in references["segments"]:
        begin = max(start, offset)
        count = np.arange(begin, stop)
        index = (references["pos"] - (offset + rows - count)) % size
        for key, array in segments[name].items():
            own[key][index] = array[begin - start :]
    buffer.pos, buffer.full = references["pos"], references["full"]
    for name, array in references.get("episodes", {}).items():
        getattr(buffer, name)[...] = array
    if references["beyond"] is not None:
        buffer.observations[buffer.pos] = references["beyond"]
