import struct

import numpy as np
import pytest
from tests.support.segments import NUM_ENVS, SCHEMA, a_segment, header, parts, rows

from trackway.errors import FormatError
from trackway.format.segment import (
    NOTE,
    ROWS,
    SEAL,
    VERSION,
    Damage,
    Digests,
    encode_rows,
    open_segment,
    split,
)


def test_a_segment_tells_its_header_rows_notes_and_seal():
    data = a_segment((3, 1, 5))
    found, damage = parts(data)

    assert open_segment(data).header == header()
    assert [(f.kind, f.first_row, f.count) for f in found] == [
        (ROWS, 0, 3),
        (ROWS, 3, 1),
        (ROWS, 4, 5),
        (NOTE, 9, 0),
        (SEAL, 9, 0),
    ]
    assert found[3].json() == {"note": "waited", "times": 2, "seconds": 0.5}
    assert found[4].json()["rows"] == 9
    assert damage == []


def test_columns_come_out_as_they_went_in():
    found, _ = parts(a_segment((4,)))
    columns = split(SCHEMA, NUM_ENVS, found[0])

    for given, got in zip(rows(0, 4), columns.values(), strict=True):
        np.testing.assert_array_equal(got, given)


def test_every_cut_keeps_the_whole_frames_before_it():
    data = a_segment((3, 1, 5))
    ends = [frame.end for frame in parts(data)[0]]

    for cut in range(open_segment(data).size, len(data)):
        found, damage = parts(data[:cut])
        whole = [end for end in ends if end <= cut]

        assert [frame.end for frame in found] == whole
        torn = cut > (whole[-1] if whole else open_segment(data).size)
        assert len(damage) == int(torn)


@pytest.mark.parametrize("tail", [b"\0", b"\0" * 36, b"\0" * 5000])
def test_a_tail_of_zeros_is_damage_and_no_frame(tail):
    data = a_segment(seal=False)
    found, damage = parts(data + tail)

    assert len(found) == 4
    assert damage == [Damage(len(data), len(data) + len(tail))]


def test_a_flipped_bit_costs_its_frame_and_no_other():
    data = a_segment((3, 1, 5))
    whole, _ = parts(data)
    for offset in range(whole[0].start, len(data)):
        spoiled = bytearray(data)
        spoiled[offset] ^= 0x10
        found, damage = parts(bytes(spoiled))
        hit = next(frame for frame in whole if frame.start <= offset < frame.end)

        assert [f.first_row for f in found] == [f.first_row for f in whole if f is not hit]
        assert damage == [Damage(hit.start, hit.end)]


def test_a_frame_left_by_an_older_file_is_not_taken_for_one_of_this_file():
    older = header(number=7).encode()
    stale = encode_rows(open_segment(older).salt, 9, 2, rows(9, 2))
    data = a_segment((9,), seal=False)
    found, damage = parts(data + stale)

    assert [frame.count for frame in found] == [9, 0]
    assert damage == [Damage(len(data), len(data) + len(stale))]


def test_a_damaged_header_is_refused_at_every_byte():
    data = a_segment()
    for offset in range(open_segment(data).size):
        spoiled = bytearray(data)
        spoiled[offset] ^= 0x01

        with pytest.raises(FormatError):
            open_segment(bytes(spoiled))


def test_a_cut_header_and_other_files_are_refused():
    data = a_segment()
    for cut in range(open_segment(data).size):
        with pytest.raises(FormatError):
            open_segment(data[:cut])
    with pytest.raises(FormatError, match="no segment"):
        open_segment(b"PK\x03\x04" + bytes(100))


def test_a_later_version_and_the_other_byte_order_are_refused_clearly():
    data = bytearray(a_segment())
    later = data.copy()
    struct.pack_into("<H", later, 8, VERSION + 1)
    swapped = data.copy()
    swapped[10:12] = swapped[10:12][::-1]

    with pytest.raises(FormatError, match="update Trackway"):
        open_segment(bytes(later))
    with pytest.raises(FormatError, match="big-endian"):
        open_segment(bytes(swapped))


def test_digests_do_not_depend_on_how_rows_are_cut_into_frames():
    seals = {
        str(parts(a_segment(sizes))[0][-1].json()) for sizes in ((9,), (1, 8), (3, 3, 3), (4, 5))
    }
    other = Digests(SCHEMA, NUM_ENVS, {})
    columns = rows(0, 9)
    columns[1][3, 1] = np.nextafter(columns[1][3, 1], np.float32(9))
    other.update(b"".join(column.tobytes() for column in columns), 9)
    sealed = parts(a_segment((9,)))[0][-1].json()["digests"]

    assert len(seals) == 1
    assert [name for name in sealed if sealed[name] != other.hex()[name]] == ["reward"]


def test_a_digest_chain_tells_the_segments_before():
    one, two = Digests(SCHEMA, NUM_ENVS, {}), Digests(SCHEMA, NUM_ENVS, {"reward": "ab" * 16})

    assert one.hex()["reward"] != two.hex()["reward"]
    assert one.hex()["qpos"] == two.hex()["qpos"]


def test_a_frame_that_disagrees_with_the_schema_is_refused():
    found, _ = parts(a_segment((4,)))

    with pytest.raises(FormatError, match="size"):
        split(SCHEMA, NUM_ENVS + 1, found[0])
