"""A LeRobot dataset, version 3.0: episodes as Parquet, what they hold in `meta/`.

A frame is an observation and the action that followed it. Observations are as in the export to
Minari; rewards and ends stand in `next.reward` and `next.done`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from trackway import files
from trackway.errors import QueryError
from trackway.query.exchange.source import Source
from trackway.query.exchange.to_minari import observations_of, observed
from trackway.query.extras import need

Array = npt.NDArray[Any]

VERSION: Final = "v3.0"
_DATA: Final = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_FILE_BYTES: Final = 100 << 20
_CHUNK_FILES: Final = 1000


def export(source: Source, target: Path) -> list[Path]:
    """Write a dataset into the folder `target`.

    Raises:
        QueryError: The run has no complete episode, or neither observations nor states.
        MissingExtraError: pyarrow is not installed.
    """
    need("pyarrow", "export to LeRobot", "archive")
    fps = max(1, round(1 / source.step_s)) if source.step_s else 1
    writer = _Writer(target, task=source.facts.environment or source.name, fps=fps)
    for frames in _episodes(source):
        writer.add(frames)
    if not writer.episodes:
        raise QueryError(f"{source.name} has no complete episode of environments {source.envs}")
    writer.finish(source.facts.environment)
    return [target]


def _episodes(source: Source) -> Iterator[dict[str, Array]]:
    seen = observed(source)
    if source.field("action") is None:
        raise QueryError(f"{source.name} recorded no actions of one array, which LeRobot wants")
    for steps in source.episodes([*seen, "action", "reward", "terminated", "truncated"]):
        observations, first = observations_of(steps, seen)
        kept = {name: column[first:] for name, column in steps.columns.items()}
        if len(observations) > 1:
            yield {
                "observation.state": observations[:-1].astype(np.float32),
                "action": kept["action"].reshape(len(kept["action"]), -1).astype(np.float32),
                "next.reward": kept["reward"].astype(np.float32),
                "next.done": kept["terminated"] | kept["truncated"],
            }


class _Writer:
    """Collects episodes into files of about 100 MB."""

    def __init__(self, target: Path, task: str, fps: int) -> None:
        self.episodes: list[dict[str, Any]] = []
        self._target, self._task, self._fps = target, task, fps
        self._waiting: list[dict[str, Array]] = []
        self._file, self._frames, self._bytes = 0, 0, 0
        self._stats: dict[str, _Stats] = {}

    def add(self, frames: dict[str, Array]) -> None:
        count = len(frames["action"])
        frame = np.arange(count)
        whole = {
            **frames,
            "timestamp": (frame / self._fps).astype(np.float32),
            "frame_index": frame,
            "episode_index": np.full(count, len(self.episodes)),
            "index": self._frames + frame,
            "task_index": np.zeros(count, np.int64),
        }
        for name, values in whole.items():
            self._stats.setdefault(name, _Stats()).add(values)
        chunk, file = divmod(self._file, _CHUNK_FILES)
        self.episodes.append(
            {
                "episode_index": len(self.episodes),
                "tasks": [self._task],
                "length": count,
                "data/chunk_index": chunk,
                "data/file_index": file,
                "dataset_from_index": self._frames,
                "dataset_to_index": self._frames + count,
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
            }
        )
        self._waiting.append(whole)
        self._frames += count
        self._bytes += sum(values.nbytes for values in whole.values())
        if self._bytes >= _FILE_BYTES:
            self._write_frames()

    def finish(self, robot: str | None) -> None:
        import pyarrow as pa

        self._write_frames()
        features = {name: stats.feature() for name, stats in self._stats.items()}
        info = {
            "codebase_version": VERSION,
            "robot_type": robot,
            "total_episodes": len(self.episodes),
            "total_frames": self._frames,
            "total_tasks": 1,
            "chunks_size": _CHUNK_FILES,
            "data_files_size_in_mb": _FILE_BYTES >> 20,
            "video_files_size_in_mb": 200,
            "fps": self._fps,
            "splits": {"train": f"0:{len(self.episodes)}"},
            "data_path": _DATA,
            "video_path": None,
            "features": features,
        }
        stats = {name: stats.told() for name, stats in self._stats.items()}
        meta = self._target / "meta"
        _write_table(
            meta / "episodes/chunk-000/file-000.parquet", pa.Table.from_pylist(self.episodes)
        )
        tasks = pa.table({"task_index": [0], "task": [self._task]})
        # pandas, with which LeRobot reads it, takes the tasks for the index.
        index: dict[str, Any] = {"name": "task", "field_name": "task", "pandas_type": "unicode"}
        index |= {"numpy_type": "object", "metadata": None}
        pandas = {"index_columns": ["task"], "columns": [index], "column_indexes": []}
        tasks = tasks.replace_schema_metadata({"pandas": orjson.dumps(pandas)})
        _write_table(meta / "tasks.parquet", tasks)
        files.publish(meta / "stats.json", orjson.dumps(stats, option=orjson.OPT_SERIALIZE_NUMPY))
        # Last: with it, the dataset is one.
        files.publish(meta / "info.json", orjson.dumps(info, option=orjson.OPT_INDENT_2))

    def _write_frames(self) -> None:
        import pyarrow as pa

        if not self._waiting:
            return
        columns = {}
        for name in self._waiting[0]:
            values = np.concatenate([frames[name] for frames in self._waiting])
            columns[name] = (
                pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
                if values.ndim == 2 and values.shape[1] > 1
                else pa.array(values.ravel())
            )
        chunk, file = divmod(self._file, _CHUNK_FILES)
        path = self._target / _DATA.format(chunk_index=chunk, file_index=file)
        _write_table(path, pa.table(columns))
        self._waiting, self._bytes, self._file = [], 0, self._file + 1


class _Stats:
    """Running statistics of a feature, in float64."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, values: Array) -> None:
        wide = values.reshape(len(values), -1).astype(np.float64)
        if not self._count:
            self._dtype, self._shape = values.dtype, wide.shape[1:]
            self._min, self._max = wide.min(axis=0), wide.max(axis=0)
            self._sum, self._squares = np.zeros(self._shape), np.zeros(self._shape)
        self._min = np.minimum(self._min, wide.min(axis=0))
        self._max = np.maximum(self._max, wide.max(axis=0))
        self._sum += wide.sum(axis=0)
        self._squares += (wide**2).sum(axis=0)
        self._count += len(wide)

    def feature(self) -> dict[str, Any]:
        return {"dtype": self._dtype.name, "shape": list(self._shape), "names": None}

    def told(self) -> dict[str, Any]:
        mean = self._sum / self._count
        variance = np.maximum(0.0, self._squares / self._count - mean**2)
        return {
            "min": self._min,
            "max": self._max,
            "mean": mean,
            "std": np.sqrt(variance),
            "count": [self._count],
        }


def _write_table(path: Path, table: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = pa.BufferOutputStream()
    pq.write_table(table, data)
    files.publish(path, memoryview(data.getvalue()))
