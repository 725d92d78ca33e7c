"""A part's rows simulated from every start in it, and what of them comes out as it was recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from trackway.errors import SceneError
from trackway.format.resim import Simulated
from trackway.replay.recipe import find_simulated, same_bits
from trackway.replay.simulation import INPUTS, SOURCES, Simulation, begin, load_model
from trackway.replay.starts import Start
from trackway.storage.archive.key_frames import Stretch
from trackway.storage.archive.layout import Layout
from trackway.storage.archive.resimulated import check_of
from trackway.storage.places import StreamFolder, scenes_folder
from trackway.storage.reader import Reader

Array = NDArray[Any]
# A key frame of a Go1 takes some 600 bytes, 2.4 for each of so many rows; whoever reads one of them
# simulates all.
KEY_ROWS: Final = 256


@dataclass(frozen=True)
class _Made:
    """Rows that were simulated from a key frame; `sources` are `[n, size]`."""

    place: int
    state: NDArray[np.float64]
    overrides: str
    sources: dict[str, Array]

    @property
    def places(self) -> NDArray[np.int64]:
        return self.place + np.arange(len(self.sources["qpos"]))


class Stretches:
    """Simulates the environments of a part.

    Args:
        stream: Its stream.
        layout: Of its columns.
        rows: Numbers of its rows.
        columns: All of them, `[num_envs, rows]` by name.
        scenes: What the events `scene` told.

    Attributes:
        inputs: The fields that moved the robots.
        simulated: What columns follow from a simulation; found with the first environment.
        found: What is simulated, from which key frames.
        missing: By column of `simulated`, `[num_envs, rows]`, which values came out as recorded.

    Raises:
        SceneError: The record has not what a simulation needs.
    """

    def __init__(
        self,
        stream: StreamFolder,
        layout: Layout,
        rows: NDArray[np.int64],
        columns: Mapping[str, Array],
        scenes: Sequence[Mapping[str, Any]],
    ) -> None:
        self._stream, self._layout, self._rows, self._columns = stream, layout, rows, columns
        self._scenes = scenes
        self.inputs: list[str] = [field for field in INPUTS if field in layout.names]
        if "qpos" not in layout.names or not self.inputs:
            raise SceneError("positions (qpos), or what moved them (ctrl), were not recorded")
        self.simulated: dict[str, Simulated] = {}
        self.found: list[Stretch] = []
        self.missing: dict[str, Array] = {}

    def simulate(self, env: int, starts: Sequence[Start]) -> None:
        """Simulate one environment from its starts, and note what comes out equal.

        Raises:
            SceneError: Its model is missing, or is one of another MuJoCo.
        """
        made = list(self._made(env, starts))
        if not made:
            return
        places = np.concatenate([each.places for each in made])
        sources = {n: np.concatenate([each.sources[n] for each in made]) for n in made[0].sources}
        recorded = {name: column[env][places] for name, column in self._columns.items()}
        if not self.simulated:
            self.simulated = find_simulated(self._layout, recorded, sources)
            shape = next(iter(self._columns.values())).shape[:2]
            self.missing = {name: np.zeros(shape, bool) for name in self.simulated}
        if any(sources[s.source].shape[1] <= s.index for s in self.simulated.values()):
            return  # a robot of another kind
        with np.errstate(over="ignore"):
            columns = {
                name: sources[told.source][:, told.index].astype(recorded[name].dtype)
                for name, told in self.simulated.items()
            }
        for name, column in columns.items():
            self.missing[name][env, places] = same_bits(column, recorded[name])
        at = 0
        for each in made:
            count = len(each.places)
            check = check_of({name: column[at : at + count] for name, column in columns.items()})
            told = Stretch(env, each.place, count, check, each.state, each.overrides)
            self.found.append(told)
            at += count

    def _made(self, env: int, starts: Sequence[Start]) -> Iterator[_Made]:
        scene = next((s for s in self._scenes if env in s.get("envs", [env])), None)
        if scene is None:
            return
        folder = scenes_folder(self._stream.attempt.run)
        model = load_model(folder, scene["physics"])
        if model.nu and "ctrl" not in self.inputs:
            raise SceneError("what the motors were told (ctrl) was not recorded")
        inputs = {field: self._of(field, env) for field in self.inputs}
        qpos = self._of("qpos", env)
        ends = [start["row"] for start in starts[1:]] + [int(self._rows[-1]) + 1]
        for start, end in zip(starts, ends, strict=True):
            overrides = (start.get("start") or {}).get("overrides") or {}
            try:
                simulation = Simulation(model, overrides, scene["substeps"])
                begin(simulation.data, start.get("start") or {})
                if not self._catch_up(simulation, env, start):
                    continue
            except (SceneError, ValueError):
                continue  # its rows are kept as they are
            yield from self._episode(
                simulation, orjson.dumps(overrides).decode(), self._places(start, end), inputs, qpos
            )

    def _episode(
        self,
        simulation: Simulation,
        overrides: str,
        places: range,
        inputs: Mapping[str, Array],
        qpos: Array,
    ) -> Iterator[_Made]:
        """Key frame by key frame, as far as positions are those that were recorded."""
        needed = {"qpos", *(told.source for told in self.simulated.values())}
        sources = [name for name in SOURCES if name in needed] if self.simulated else SOURCES
        for at in range(places.start, places.stop, KEY_ROWS):
            here = slice(at, min(at + KEY_ROWS, places.stop))
            state = simulation.state
            made = simulation.run({n: value[here] for n, value in inputs.items()}, sources)
            count = len(made["qpos"])
            moved = made["qpos"].astype(qpos.dtype)
            if moved.shape[1:] != qpos.shape[1:]:
                return
            same = same_bits(moved, qpos[at : at + count]).all(axis=1)
            equal = count if same.all() else int(same.argmin())
            if equal:
                cut = {name: array[:equal] for name, array in made.items()}
                yield _Made(at, state, overrides, cut)
            if equal < here.stop - here.start:
                return

    def _places(self, start: Start, end: int) -> range:
        """Of an episode's rows, up to the first that was lost."""
        first = int(np.searchsorted(self._rows, max(start["row"], int(self._rows[0]))))
        last = int(np.searchsorted(self._rows, end))
        rows = self._rows[first:last]
        if not len(rows) or rows[0] != max(start["row"], self._rows[0]):
            return range(0)
        gaps = np.flatnonzero(np.diff(rows) != 1)
        return range(first, first + int(gaps[0]) + 1 if len(gaps) else last)

    def _catch_up(self, simulation: Simulation, env: int, start: Start) -> bool:
        """Simulate what an episode did before the part begins; False where that is not kept."""
        count = int(self._rows[0]) - start["row"]
        if count <= 0:
            return True
        before = Reader(self._stream, self.inputs, start["row"], env).poll(limit=count)
        rows = before.rows[:count]
        if len(rows) < count or rows[-1] != self._rows[0] - 1:
            return False
        inputs = {field: before[field][:count, 0] for field in self.inputs}
        return bool(len(simulation.run(inputs, ["qpos"])["qpos"]) == count)

    def _of(self, field: str, env: int) -> Array:
        """A field of one environment, `[rows, *shape]`."""
        columns = {n: self._columns[n][env : env + 1] for n in self._layout.names[field]}
        return self._layout.values(field, columns)[:, 0]
