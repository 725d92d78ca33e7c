"""Writers of one run that record at once, drawn as one: as the environments of one writer are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trackway.query.downsample import Buckets
from trackway.query.run_view import Curve


def together(found: Curve) -> Curve:
    """A curve of several attempts whose places rise: buckets of others join those of the finest.

    What begins where another ended is left as it is.
    """
    if len(found) == 0 or np.all(np.diff(found.x_end) >= 0):
        return found
    ranks, counts = np.unique(found.writer, return_counts=True)
    own = np.flatnonzero(found.writer == ranks[np.argmax(counts)])
    own = own[np.argsort(found.x_end[own], kind="stable")]
    ends = found.x_end[own]
    middles = (found.x + found.x_end) / 2
    slots = np.minimum(np.searchsorted(ends, middles), len(own) - 1)
    slots[own] = np.arange(len(own))  # none is left without its own
    order = np.argsort(slots, kind="stable")
    edges = np.searchsorted(slots[order], np.arange(len(own)))
    parts = found.buckets.each(lambda part: part[order])
    with np.errstate(invalid="ignore"):
        joined = Buckets(
            found.buckets.rows[own],
            found.buckets.ends[own],
            np.add.reduceat(parts.count, edges),
            np.fmin.reduceat(parts.min, edges),
            np.fmax.reduceat(parts.max, edges),
            np.add.reduceat(parts.sum, edges),
            found.buckets.first[own],
            found.buckets.last[own],
            np.add.reduceat(parts.nan, edges),
            np.add.reduceat(parts.inf, edges),
        )
    return replace(
        found,
        x=found.x[own],
        x_end=ends,
        attempt=found.attempt[own],
        writer=found.writer[own],
        buckets=joined,
    )
