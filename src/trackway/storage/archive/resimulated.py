"""The values that a part of the tier `resim` does not hold, made again when somebody asks for them.

    kept(names)  ─▶ values, and where they are missing
                      ├ scaled:    another column, times a scale, plus an offset
                      └ simulated: key frame and inputs ─▶ MuJoCo ─▶ checksum ─▶ value

A stretch from one key frame to the next is simulated whole, and believed when its checksum is that
of what was proven: another MuJoCo or processor is found out, and named. The newest stretches stay
in memory.
"""

from __future__ import annotations

import importlib
import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Final, Protocol, cast

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from trackway.errors import FormatError, TrackwayError
from trackway.format.crc import crc32
from trackway.format.part import PartHeader
from trackway.format.schema import Field
from trackway.storage.archive.key_frames import COLUMNS, Stretch, stretches_of
from trackway.storage.archive.layout import Array, Columns, Layout
from trackway.storage.places import StreamFolder, scenes_folder

# A program of a room above this one, which knows MuJoCo; found by its name when a part needs it.
_SIMULATOR: Final = "trackway.replay.simulation"
_KEPT_BYTES: Final = 64 << 20


class Simulate(Protocol):
    """What simulates, see `trackway.replay.simulation.simulate_again`."""

    def __call__(
        self,
        scenes: Path,
        digest: str,
        version: str,
        substeps: int,
        stretches: Iterator[tuple[npt.NDArray[np.float64], Mapping[str, Any], Columns]],
        sources: Sequence[str],
    ) -> Iterator[Columns]: ...


Kept = Callable[[Sequence[str], slice, slice], tuple[Columns, Columns]]


class Resimulated:
    """Makes the missing values of one part.

    Args:
        key: What the part is known by, its path first; another one after any change.
        header: What the part says of itself.
        layout: Of its columns.
        kept: Gives columns `[environments, n]` as they are kept, and where they are missing.
        read: Gives whole columns as Arrow has them.
    """

    def __init__(
        self,
        key: tuple[Path, int, int, int],
        header: PartHeader,
        layout: Layout,
        kept: Kept,
        read: Callable[[Sequence[str]], pa.Table],
    ) -> None:
        assert header.resim is not None
        self._path, self._key, self._header, self._layout = key[0], key, header, layout
        self._recipe = header.resim
        self._kept, self._read = kept, read
        self._of_env: dict[int, list[Stretch]] | None = None

    def simulated_fields(self) -> list[Field]:
        """Fields of which some values are simulated."""
        simulated, names = self._recipe.simulated, self._layout.names
        return [f for f in self._header.schema if not simulated.keys().isdisjoint(names[f.name])]

    def stripes(self, envs: slice) -> list[tuple[int, int]]:
        """Places of rows that are best read together: few, since they are simulated at once."""
        rows, most = self._header.rows, self._most(envs)
        return [(at, min(at + most, rows)) for at in range(0, rows, most)]

    def near(self, places: Sequence[slice], envs: slice) -> Iterator[list[slice]]:
        """Neighbouring places, as many at a time as are best read together."""
        stripes = itertools.groupby(places, lambda place: place.start // self._most(envs))
        return (list(group) for _, group in stripes)

    def _most(self, envs: slice) -> int:
        # Every environment has its lines elsewhere: a few rows of all of them cost many row groups.
        return 1024 if len(range(self._header.num_envs)[envs]) == 1 else 4096

    def columns(self, names: Sequence[str], places: slice, envs: slice) -> Columns:
        """Columns `[environments, n]` of the rows at these places, whole.

        Raises:
            FormatError: They cannot be made again here, or were not made as they were.
        """
        recipe = self._recipe
        bases = [recipe.scaled[name].column for name in names if name in recipe.scaled]
        found, missing = self._kept([*dict.fromkeys([*names, *bases])], places, envs)
        for name in names:
            if name in recipe.scaled:
                told = recipe.scaled[name]
                made = told.of(found[told.column], found[name].dtype)
                found[name] = np.where(missing[name], made, found[name])
        wanted = [n for n in names if n in recipe.simulated and missing[n].any()]
        for line, env in enumerate(range(self._header.num_envs)[envs]):
            here = [name for name in wanted if missing[name][line].any()]
            if here:
                rows = {name: found[name][line] for name in here}
                self._fill(env, places, rows, {name: missing[name][line] for name in here})
        return {name: found[name] for name in names}

    def _fill(self, env: int, places: slice, columns: Columns, missing: Columns) -> None:
        """Put simulated values into columns `[n]` of one environment, where they are missing."""
        filled = {name: ~gone for name, gone in missing.items()}
        for stretch, made in self._simulated(env, places):
            begin, end = max(stretch.place, places.start), min(stretch.end, places.stop)
            here = slice(begin - places.start, end - places.start)
            there = slice(begin - stretch.place, end - stretch.place)
            for name, column in columns.items():
                gone = missing[name][here]
                column[here][gone] = made[name][there][gone]
                filled[name][here] = True
        if not all(done.all() for done in filled.values()):
            raise FormatError(f"{self._path}: values are missing that no key frame leads to")

    def _simulated(self, env: int, places: slice) -> Iterator[tuple[Stretch, Columns]]:
        """The stretches that touch these places, and all their simulated columns."""
        near = [s for s in self._stretches(env) if s.place < places.stop and s.end > places.start]
        known = {s.place: _recall((*self._key, env, s.place)) for s in near}
        new = [stretch for stretch in near if known[stretch.place] is None]
        made = self._simulate(env, new) if new else iter(())
        for stretch in near:
            columns = known[stretch.place]
            if columns is None:
                columns = self._proven(stretch, next(made))
                _remember((*self._key, env, stretch.place), columns)
            yield stretch, columns

    def _simulate(self, env: int, stretches: Sequence[Stretch]) -> Iterator[Columns]:
        recipe, scene = self._recipe, self._recipe.scene_of(env)
        begin, end = stretches[0].place, stretches[-1].end
        names = [name for field in recipe.inputs for name in self._layout.names[field]]
        kept = self.columns(names, slice(begin, end), slice(env, env + 1))
        inputs = {field: self._layout.values(field, kept)[:, 0] for field in recipe.inputs}
        given = (
            (
                stretch.state,
                orjson.loads(stretch.overrides),
                {n: v[stretch.place - begin : stretch.end - begin] for n, v in inputs.items()},
            )
            for stretch in stretches
        )
        run = StreamFolder(self._path.parent).attempt.run
        try:
            simulate = cast("Simulate", importlib.import_module(_SIMULATOR).simulate_again)
            sources = [*dict.fromkeys(told.source for told in recipe.simulated.values())]
            yield from simulate(
                scenes_folder(run),
                scene["physics"],
                recipe.mujoco,
                scene["substeps"],
                given,
                sources,
            )
        except ModuleNotFoundError as error:
            raise FormatError(
                f"{self._path}: what its key frames lead to is simulated again, which needs MuJoCo: "
                f"pip install mujoco=={recipe.mujoco}"
            ) from error
        except (TrackwayError, KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{self._path}: it cannot be simulated again: {error}") from error

    def _proven(self, stretch: Stretch, sources: Columns) -> Columns:
        try:
            columns = simulated_columns(self._header, self._layout, sources)
        except (KeyError, IndexError, TypeError) as error:
            raise FormatError(f"{self._path}: its key frames do not fit its model") from error
        if check_of(columns) != stretch.check:
            first = int(self._first_row(stretch))
            raise FormatError(
                f"{self._path}: rows {first} to {first + stretch.rows - 1} of environment "
                f"{stretch.env}, simulated again here, are not what was recorded; read them on the "
                "kind of processor that made the part, see docs/reference/archive-format.md"
            )
        return columns

    def _first_row(self, stretch: Stretch) -> Any:
        place, env = stretch.place, stretch.env
        return self._kept(["row"], slice(place, place + 1), slice(env, env + 1))[0]["row"][0, 0]

    def _stretches(self, env: int) -> list[Stretch]:
        if self._of_env is None:
            self._of_env = {}
            for stretch in stretches_of(self._read(COLUMNS), self._header.rows):
                self._of_env.setdefault(stretch.env, []).append(stretch)
        return self._of_env.get(env, [])


def simulated_columns(header: PartHeader, layout: Layout, sources: Columns) -> Columns:
    """The simulated columns of a stretch, `[n]`, from arrays of MuJoCo's data, `[n, size]`."""
    assert header.resim is not None
    return {
        name: sources[told.source][:, told.index].astype(
            layout.arrow.field(name).type.to_pandas_dtype()
        )
        for name, told in header.resim.simulated.items()
    }


def check_of(columns: Mapping[str, Array]) -> int:
    """The checksum of a stretch: CRC-32 of its simulated columns, one after the other."""
    check = 0
    for column in columns.values():
        check = crc32(np.ascontiguousarray(column).data, check)
    return check


# By part, environment and place.
_made: OrderedDict[tuple[Any, ...], Columns] = OrderedDict()
_made_bytes = 0
_lock = Lock()


def _recall(key: tuple[Any, ...]) -> Columns | None:
    with _lock:
        found = _made.get(key)
        if found is not None:
            _made.move_to_end(key)
        return found


def _remember(key: tuple[Any, ...], columns: Columns) -> None:
    global _made_bytes
    with _lock:
        if key in _made:
            return
        _made[key] = columns
        _made_bytes += _size(columns)
        while _made_bytes > _KEPT_BYTES:
            _made_bytes -= _size(_made.popitem(last=False)[1])


def _size(columns: Columns) -> int:
    return sum(column.nbytes for column in columns.values())
