"""CSVs of Stable-Baselines3's `Monitor` as records of episodes."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from trackway.errors import QueryError

_NAMES: Final = {"r": "return", "l": "length"}


@dataclass(frozen=True)
class _File:
    begun_unix: float
    env_id: str | None
    rows: list[dict[str, str]]


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Records `{env, episode, row, timestep, unix_s, return, length, …}`, in the order of their ends.

    Each file is an environment, and all step together, as in a VecEnv: an episode that ended with the
    n-th step of its environment ended at timestep n times the number of files.

    Raises:
        QueryError: There are no such files, or one is damaged.
    """
    paths = sorted(folder.rglob("*monitor.csv"), key=_order) if folder.is_dir() else [folder]
    found = [_read(path) for path in paths]
    if not found:
        raise QueryError(f"{folder} holds no *.monitor.csv")
    records: list[dict[str, Any]] = []
    for env, file in enumerate(found):
        row = 0
        for number, told in enumerate(file.rows, start=1):
            record = {
                _NAMES.get(name, name): _number(value)
                for name, value in told.items()
                if name != "t"
            }
            row += int(record.get("length") or 0)
            records.append(
                {
                    "row": row - 1,
                    "env": env,
                    "episode": number,
                    "timestep": row * len(found),
                    "unix_s": file.begun_unix + float(told["t"]),
                    **record,
                }
            )
    return iter(sorted(records, key=lambda record: (record["timestep"], record["env"])))


def environment(folder: Path) -> tuple[str | None, int]:
    """What the files say of the environment, and how many there are."""
    paths = sorted(folder.rglob("*monitor.csv"), key=_order) if folder.is_dir() else [folder]
    names = [_read(path).env_id for path in paths]
    return next((name for name in names if name and name != "None"), None), len(paths)


def _read(path: Path) -> _File:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            first = file.readline()
            about = orjson.loads(first.removeprefix("#"))
            rows = [row for row in csv.DictReader(file) if None not in row.values()]
        if rows and not {"r", "l", "t"} <= rows[0].keys():
            raise ValueError("the columns r, l, t are missing")
        return _File(float(about["t_start"]), about.get("env_id"), rows)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
        raise QueryError(f"{path} is no CSV of Stable-Baselines3's Monitor: {error}") from error


def _order(path: Path) -> tuple[int, str]:
    """`2.monitor.csv` before `10.monitor.csv`."""
    number = path.name.partition(".")[0]
    return (int(number) if number.isdigit() else 0, str(path))


def _number(text: str) -> Any:
    """Numbers as such; text as it is."""
    if text in {"True", "False"}:
        return text == "True"
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if math.isfinite(value) and value.is_integer() and "." not in text else value
