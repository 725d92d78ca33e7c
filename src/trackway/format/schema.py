"""Fields and schemas: what a column of a stream is called, holds, measures and means.

    Schema(
        Field("qpos", "float64", (19,), unit="m, rad", description="generalised positions"),
        Field("reward", "float32", unit="1", description="reward of the step"),
    )

A row of a stream is one step of all its environments: `[num_envs, *shape]` values of each field.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trackway.errors import SchemaError

DTYPES = (
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *(f"float{bits}" for bits in (16, 32, 64)),
)  # fmt: skip
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


@dataclass(frozen=True)
class Field:
    """One column: `shape` is that of one environment's value, `()` for a number."""

    name: str
    dtype: str = "float64"
    shape: tuple[int, ...] = ()
    unit: str = "1"
    description: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise SchemaError(f"{self.name!r} cannot name a field: use 1 to 200 printable letters")
        object.__setattr__(self, "dtype", _dtype_name(self.name, self.dtype))
        object.__setattr__(self, "shape", tuple(int(size) for size in self.shape))
        if any(size < 1 for size in self.shape):
            raise SchemaError(
                f"field {self.name!r} has shape {self.shape}: every size is 1 or more"
            )

    @property
    def value_bytes(self) -> int:
        """Size of one environment's value."""
        return np.dtype(self.dtype).itemsize * math.prod(self.shape)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "unit": self.unit,
            "description": self.description,
        }


@dataclass(frozen=True, init=False)
class Schema:
    """The fields of a stream, in the order in which their bytes lie."""

    fields: tuple[Field, ...]

    def __init__(self, *fields: Field) -> None:
        if not fields:
            raise SchemaError("a schema needs at least one field")
        names = Counter(field.name for field in fields)
        twice = {name for name, times in names.items() if times > 1}
        if twice:
            raise SchemaError(f"fields are named twice: {', '.join(sorted(twice))}")
        object.__setattr__(self, "fields", fields)

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def row_bytes(self, num_envs: int) -> int:
        """Size of one row: every field of every environment, without padding."""
        return num_envs * sum(field.value_bytes for field in self.fields)

    def to_json(self) -> list[dict[str, Any]]:
        return [field.to_json() for field in self.fields]

    @classmethod
    def from_json(cls, fields: Any) -> Schema:
        """Read back what `to_json` gave.

        Raises:
            SchemaError: It is something else.
        """
        try:
            return cls(
                *(
                    Field(
                        name=str(field["name"]),
                        dtype=str(field["dtype"]),
                        shape=tuple(field["shape"]),
                        unit=str(field["unit"]),
                        description=str(field["description"]),
                    )
                    for field in fields
                )
            )
        except (TypeError, KeyError, ValueError) as error:
            raise SchemaError(f"this is no schema: {error!r}") from error

    @classmethod
    def of(cls, columns: Mapping[str, npt.ArrayLike]) -> Schema:
        """The schema of given columns `[num_envs, ...]`; units and descriptions stay empty."""
        arrays = {name: np.asarray(column) for name, column in columns.items()}
        return cls(*(Field(n, a.dtype, a.shape[1:], unit="") for n, a in arrays.items()))  # type: ignore[arg-type]


def _dtype_name(field: str, dtype: npt.DTypeLike) -> str:
    try:
        parsed = np.dtype(dtype)
    except TypeError:
        parsed = None
    if parsed is not None and parsed.str.startswith(">"):
        raise SchemaError(
            f"field {field!r} is big-endian ({parsed.str}): rows are little-endian, "
            f"give {parsed.newbyteorder('<').name!r} and let the assignment convert"
        )
    if parsed is None or parsed.name not in DTYPES:
        raise SchemaError(f"field {field!r} has dtype {dtype!r}: use one of {', '.join(DTYPES)}")
    return parsed.name
