"""What the components of a field are called, as its description lists them."""

from __future__ import annotations

import math
import re

from trackway.format.schema import Field


def labels(field: Field) -> list[str]:
    """The names at the end of a description, those of the field's last components; [] without any.

    `qpos` names its joints, which follow the position and attitude of a free body.

    >>> labels(Field("foot_force", shape=(2,), description="force of the floor on FR, FL"))
    ['FR', 'FL']
    """
    size = math.prod(field.shape)
    *before, told = re.split(r": | then | on ", re.sub(r"\([^)]*\)", "", field.description))
    names = [name.strip() for name in told.split(",") if name.strip()]
    one = size == 1 and bool(before)  # else a sentence without commas would be taken for a name
    return names if len(names) <= size and (len(names) > 1 or one) else []
