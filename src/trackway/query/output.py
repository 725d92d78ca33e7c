"""Answers as text and files: CSV, JSON, Parquet."""

from __future__ import annotations

import io
from typing import Any, Final

import orjson

FORMATS: Final = ("table", "csv", "json", "parquet")


def encode(frame: Any, kind: str) -> bytes:
    """A `polars.DataFrame` in a format of `FORMATS` other than `table`.

    JSON has no NaN: it becomes null. CSV has no lists: they become JSON.
    """
    if kind == "json":
        return orjson.dumps(frame.to_dicts(), option=orjson.OPT_INDENT_2, default=str) + b"\n"
    data = io.BytesIO()
    if kind == "parquet":
        frame.write_parquet(data)
    else:
        plain(frame).write_csv(data)
    return data.getvalue()


def plain(frame: Any) -> Any:
    """The same frame with lists, structures and bytes as JSON."""
    import polars as pl

    made = [
        pl.Series(column.name, [_json(value) for value in column.to_list()], pl.String)
        if column.dtype.is_nested() or column.dtype == pl.Binary
        else column
        for column in frame.iter_columns()
    ]
    return pl.DataFrame(made)


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, default=str).decode()
