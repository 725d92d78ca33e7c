"""What a comparison of two runs found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from dataclasses import field as member
from typing import Any


@dataclass
class Difference:
    """The first thing that is not the same.

    Attributes:
        kind: `value`; `missing`: only one of them has the row, the other has later ones; `ends`:
            only one of them goes on; `num_envs`: they cannot be compared.
        row: Rows of the line before it, of all that the training made.
        timestep: Timesteps made once the row's step was done.
        env, field, index: Whose value, of which field, where in it.
        a, b: The values; `bits_a`, `bits_b` their bytes where they are numbers.
        fields: How many values of which fields differ in this row.
        where_a, where_b: The attempt and its own number of the row.
        more: Rows that the one that goes on has beyond.
    """

    kind: str
    row: int | None = None
    timestep: int | None = None
    env: int | None = None
    field: str | None = None
    index: list[int] | None = None
    a: Any = None
    b: Any = None
    bits_a: str | None = None
    bits_b: str | None = None
    fields: dict[str, int] = member(default_factory=dict)
    where_a: dict[str, Any] | None = None
    where_b: dict[str, Any] | None = None
    more: int | None = None


@dataclass
class Comparison:
    """How two lines of one stream compare.

    Attributes:
        equal_rows: Rows, or records, that are the same before the difference.
        by_digest: How many of them were not read, because their digests agree.
        from_timestep: Where the later of the two begins; earlier rows are not compared.
        only_a, only_b: Fields that the other does not have, or has with another type or shape.
    """

    stream: str
    equal_rows: int = 0
    by_digest: int = 0
    from_timestep: int = 0
    only_a: list[str] = member(default_factory=list)
    only_b: list[str] = member(default_factory=list)
    difference: Difference | None = None

    @property
    def same(self) -> bool:
        return self.difference is None and not self.only_a and not self.only_b

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"same": self.same}
