"""Whether a probe keeps its contract, in sentences."""

from __future__ import annotations

from typing import Any

from trackway.format.schema import Schema
from trackway.probes.probe import Array, Probe, Row, empty_row


def check_probe(probe: Probe, num_envs: int = 1) -> list[str]:
    """What is wrong with a probe whose environment has been reset; empty when it is good."""
    schema: Any = getattr(probe, "schema", None)
    if not isinstance(schema, Schema):
        return ["it has no `schema`: give it a trackway.Schema of Fields"]
    problems = [
        f"field {field.name!r} has no {what}"
        for field in schema
        for what in ("unit", "description")
        if not getattr(field, what)
    ]
    rows = [_filled(schema, num_envs, byte) for byte in (0, 1, 1)]
    for row in rows:
        arrays = dict(row)
        try:
            probe.read(row)
        except Exception as error:  # noqa: BLE001 - that it raises is the finding
            return [*problems, f"read() raises {type(error).__name__}: {error}"]
        if any(row.get(name) is not array for name, array in arrays.items()):
            return [
                *problems,
                "read() replaces arrays of the row: write into them, row[name][...] =",
            ]
    for name in rows[0]:
        first, second, third = (_bytes(row, name) for row in rows)
        if second != third:
            problems.append(f"field {name!r} differs between two readings of the same state")
        elif first != second:
            problems.append(f"field {name!r} is not written, or not all of it")
    return problems


def _filled(schema: Schema, num_envs: int, byte: int) -> dict[str, Array]:
    row = empty_row(schema, num_envs)
    for column in row.values():
        column.view("uint8")[...] = byte
    return row


def _bytes(row: Row, name: str) -> bytes:
    return row[name].tobytes()
