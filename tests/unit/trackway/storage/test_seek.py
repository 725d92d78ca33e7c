"""Any row of a segment is found without reading what lies before it."""

import io

import numpy as np
import pytest
from tests.support.segments import SCHEMA, a_segment
from tests.support.streams import Bench

from trackway.format.segment import ROWS, open_segment, read_frame, split
from trackway.storage import seek
from trackway.storage.places import StreamFolder
from trackway.storage.reader import Reader
from trackway.storage.seek import offset_of
from trackway.storage.segments import load, next_row

SIZES = (3, 1, 5, 40, 2, 2, 2, 30, 1, 1, 1, 7)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(seek, "_BLOCK_BYTES", 128)


def _found(data: bytes, row: int) -> int:
    """The first row of the frame where reading would begin."""
    opening = open_segment(data)
    offset = offset_of(io.BytesIO(data), opening.size, len(data), opening.salt, row)
    frame = read_frame(memoryview(data), offset, opening.salt)
    assert frame is not None
    return frame.first_row


@pytest.mark.parametrize("row", range(sum(SIZES)))
def test_reading_begins_at_the_row_or_a_frame_or_two_before(row):
    begins = np.cumsum((0, *SIZES))
    at = int(np.searchsorted(begins, row, side="right")) - 1

    assert begins[max(0, at - 2)] <= _found(a_segment(SIZES), row) <= row


def test_damage_between_frames_is_jumped_over():
    data = bytearray(a_segment(SIZES))
    middle = len(data) // 2
    data[middle - 300 : middle + 300] = bytes(600)

    assert _found(bytes(data), sum(SIZES) - 1) > SIZES[0]
    assert _found(bytes(data), 0) == 0


@pytest.mark.parametrize("harm", ["none", "cut", "damaged"])
def test_the_end_is_told_as_by_whoever_reads_the_whole(tmp_path, harm):
    data, path = bytearray(a_segment(SIZES)), tmp_path / "000000.open"
    for at in range(len(data) // 2, len(data), 37):
        harmed = data[:at] if harm == "cut" else bytearray(data)
        if harm == "damaged":
            harmed[at:] = bytes(len(data) - at)
        path.write_bytes(harmed)

        assert next_row(path) == load(path).next_row


def test_rows_of_one_environment_are_read_alone(tmp_path):
    bench = Bench(tmp_path, segment_rows=50)
    for _ in range(30):
        bench.commit(9)
        bench.step()
    bench.commit(5)
    whole = Reader(bench.folder, first=123).poll()
    one = Reader(bench.folder, first=123, env=1).poll()

    assert one.rows.tolist() == list(range(123, 275))
    for name, column in one.columns.items():
        np.testing.assert_array_equal(column, whole[name][:, 1:2])
    assert Reader(bench.folder, first=999, env=1).poll()["qpos"].shape == (0, 1, 3)


def test_a_segment_is_read_in_blocks_however_large_its_frames(monkeypatch, tmp_path):
    monkeypatch.setattr("trackway.storage.cursor._BLOCK_BYTES", 100)
    path = tmp_path / "realtime_data/streams/001-a/steps"
    path.mkdir(parents=True)
    (path / "000000.seg").write_bytes(a_segment(SIZES))
    records = Reader(StreamFolder(path)).poll()

    opening = open_segment(a_segment(SIZES))
    frame = read_frame(memoryview(a_segment(SIZES)), opening.size, opening.salt)
    assert frame is not None
    assert frame.kind == ROWS
    assert records.rows.tolist() == list(range(sum(SIZES)))
    np.testing.assert_array_equal(records["qpos"][:3], split(SCHEMA, 2, frame)["qpos"])
