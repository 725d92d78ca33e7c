"""Whatever becomes of a segment's bytes: what is read is what was written, or is said to be damaged."""

import os

import numpy as np
import pytest
from tests.support.segments import NUM_ENVS, SCHEMA, a_segment, rows

from trackway.errors import TrackwayError
from trackway.format.segment import ROWS, Frame, frames, open_segment, split

MUTATIONS = int(os.environ.get("TRACKWAY_MUTATIONS", "1000"))
WHOLE = a_segment((3, 1, 5, 40))


@pytest.mark.timeout(120 + MUTATIONS // 100)
def test_no_mutation_crashes_hangs_or_gives_a_wrong_value():
    luck = np.random.default_rng(int(os.environ.get("TRACKWAY_SEED", "0")))
    given, refused, incomplete = rows(0, 49), 0, 0
    for number in range(MUTATIONS):
        data = bytearray(WHOLE)
        at = int(luck.integers(len(data)))
        match number % 4:
            case 0:
                data[at] ^= 1 << int(luck.integers(8))
            case 1:
                del data[at:]
            case 2:
                data[at : at + 512] = bytes(len(data[at : at + 512]))
            case _:
                other = int(luck.integers(len(data)))
                data[at : at + 40] = data[other : other + 40]
        try:
            opening = open_segment(bytes(data))
            assert opening.header.schema == SCHEMA
            found = [f for f in frames(data, opening.size, opening.salt) if isinstance(f, Frame)]
        except TrackwayError:
            refused += 1
            continue
        taken = [frame for frame in found if frame.kind == ROWS]
        incomplete += sum(frame.count for frame in taken) < 49
        for frame in taken:
            columns = split(SCHEMA, NUM_ENVS, frame)
            part = slice(frame.first_row, frame.first_row + frame.count)
            for values, expected in zip(columns.values(), given, strict=True):
                np.testing.assert_array_equal(values, expected[part])
    assert refused > MUTATIONS // 10
    assert incomplete > MUTATIONS // 10
