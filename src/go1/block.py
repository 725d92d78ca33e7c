"""Many small arrays in one piece of memory: who copies the piece has copied them all.

A snapshot of 256 robots is taken while the training waits, and three dozen copies take longer than
their bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ALIGNED = 64  # a line of the processor's cache


class Block:
    """Holds arrays that are attributes of an object; the attributes become views of its memory.

    Args:
        holder: The object.
        names: Of the attributes.

    Attributes:
        memory: Their bytes.
        layout: What lies in it, in words: the same words, the same layout.
    """

    def __init__(self, holder: object, names: Iterable[str]) -> None:
        arrays: dict[str, NDArray[Any]] = {name: getattr(holder, name) for name in names}
        sizes = [-(-array.nbytes // _ALIGNED) * _ALIGNED for array in arrays.values()]
        self.memory = np.zeros(sum(sizes), np.uint8)
        self.layout = ", ".join(f"{n} {a.dtype.str}{list(a.shape)}" for n, a in arrays.items())
        for start, (name, array) in zip(accumulate(sizes, initial=0), arrays.items(), strict=False):
            place = self.memory[start : start + array.nbytes]
            view = place.view(array.dtype).reshape(array.shape)
            view[...] = array
            setattr(holder, name, view)
