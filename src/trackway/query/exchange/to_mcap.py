"""MCAP for Foxglove: a topic per environment and stream, JSON messages with a schema.

    /env0/steps     a message per step: the fields of `steps`, row, timestep
    /episodes  /updates  /events  /system

Messages stand where the simulation was: the training's beginning plus the steps made times the
length of one. Where nobody told that length, where the clock of the training was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from trackway import files
from trackway.format.schema import Field
from trackway.query.exchange.source import Source, facts_of
from trackway.query.extras import need
from trackway.query.line import Span

_RECORDS: Final = ("episodes", "updates", "events")
_NUMPY: Final = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def export(source: Source, target: Path) -> list[Path]:
    """Write the file `target`.

    Raises:
        MissingExtraError: mcap is not installed.
    """
    writers = need("mcap.writer", "export to MCAP", "mcap")
    unfinished = target.with_name(f".{target.name}.tmp")
    files.make_folder(target.parent)
    try:
        with unfinished.open("wb") as file:
            writer = writers.Writer(file)
            writer.start(profile="", library="trackway")
            told = {
                k: v if isinstance(v, str) else orjson.dumps(v).decode()
                for k, v in facts_of(source.facts).items()
            }
            writer.add_metadata("run", told)
            clock = _Clock(source)
            if source.options.steps and source.schema is not None:
                _write_steps(writer, source, clock)
            _write_records(writer, source, clock)
            writer.finish()
        files.rename(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    return [target]


def _write_steps(writer: Any, source: Source, clock: _Clock) -> None:
    assert source.schema is not None
    properties = {"row": _INTEGER, "timestep": _INTEGER}
    properties |= {field.name: _json_schema(field) for field in source.schema}
    schema = {"type": "object", "title": "step", "properties": properties}
    schema_id = writer.register_schema("trackway.step", "jsonschema", orjson.dumps(schema))
    for env in source.envs:
        channel = writer.register_channel(f"/env{env}/steps", "json", schema_id)
        for span, rows, columns in source.batches(env):
            times = clock.at(span, rows)
            timesteps = span.begin + (rows + 1) * span.num_envs
            for i, row in enumerate(rows.tolist()):
                message = {"row": row, "timestep": int(timesteps[i])}
                message |= {name: column[i] for name, column in columns.items()}
                data = orjson.dumps(message, option=_NUMPY)
                when = int(times[i])
                writer.add_message(channel, when, data, when, row)


def _write_records(writer: Any, source: Source, clock: _Clock) -> None:
    for stream in _RECORDS:
        channel = _free_channel(writer, stream)
        for span, records in source.view.line_records(stream):
            for record in records:
                made = (record.get("timestep") or span.begin) - span.begin
                when = int(clock.at(span, np.array([made / max(1, span.num_envs)]))[0])
                writer.add_message(channel, when, orjson.dumps(record), when)
    channel = _free_channel(writer, "system")
    for scalars in source.scalars():
        if scalars.kind != "system":
            continue
        span = next(s for s in reversed(source.view.spans) if s.begin <= scalars.timestep)
        row = (scalars.timestep - span.begin) / max(1, span.num_envs)
        when = int(clock.at(span, np.array([row]))[0])
        values = {name.removeprefix("system/"): value for name, value in scalars.values.items()}
        message = {"timestep": scalars.timestep, "unix_s": scalars.unix_s, **values}
        writer.add_message(channel, when, orjson.dumps(message), when)


def _free_channel(writer: Any, stream: str) -> int:
    """Of records with free members."""
    schema = orjson.dumps({"type": "object", "title": stream})
    schema_id = writer.register_schema(f"trackway.{stream}", "jsonschema", schema)
    channel: int = writer.register_channel(f"/{stream}", "json", schema_id)
    return channel


class _Clock:
    """When rows were, in nanoseconds since 1970."""

    def __init__(self, source: Source) -> None:
        self._begun_s = source.facts.created_unix or 0.0
        self._step_s = source.step_s
        self._view = source.view

    def at(self, span: Span, rows: Any) -> Any:
        if self._step_s is not None:
            # One clock through all attempts: by timesteps, as if nobody had been killed.
            steps = span.begin / max(1, span.num_envs) + rows
            return np.rint((self._begun_s + steps * self._step_s) * 1e9).astype(np.int64)
        axis = self._view.axis(span, "time")
        times = axis.at(rows) if axis is not None else self._begun_s + np.asarray(rows, float)
        return np.rint(times * 1e9).astype(np.int64)


_INTEGER: Final[dict[str, Any]] = {"type": "integer"}


def _json_schema(field: Field) -> dict[str, Any]:
    kind = "boolean" if field.dtype == "bool" else "number"
    schema: dict[str, Any] = {"type": kind}
    for _ in field.shape:
        schema = {"type": "array", "items": schema}
    told = " ".join(filter(None, [field.description, f"[{field.unit}]" if field.unit else ""]))
    return schema | {"description": told}
