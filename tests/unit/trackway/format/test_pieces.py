import numpy as np
import pytest

from trackway.format.pieces import FIRST, LAST, PIECE_BYTES, Joiner, cut


def columns(pieces):
    data = np.zeros((len(pieces), 1, PIECE_BYTES), np.uint8)
    for i, (_, piece) in enumerate(pieces):
        data[i, 0, : len(piece)] = np.frombuffer(piece, np.uint8)
    return {
        "flags": np.array([[flags] for flags, _ in pieces], np.uint8),
        "size": np.array([[len(piece)] for _, piece in pieces], np.uint16),
        "data": data,
    }


@pytest.mark.parametrize("length", [0, 1, 227, 228, 229, 467, 468, 469, 5000])
def test_records_of_any_length_come_back(length):
    record = {"text": "x" * length}
    pieces = list(cut(record))

    assert pieces[0][0] & FIRST
    assert pieces[-1][0] & LAST
    assert Joiner().join(np.arange(len(pieces)), columns(pieces)) == [record]


def test_pieces_may_come_one_by_one():
    pieces, joiner = list(cut({"text": "말" * 300})), Joiner()
    got = [joiner.join(np.array([i]), columns([piece])) for i, piece in enumerate(pieces)]

    assert got[:-1] == [[]] * (len(pieces) - 1)
    assert got[-1] == [{"text": "말" * 300}]


def test_a_record_that_a_gap_runs_through_is_dropped_and_no_other():
    pieces = [*cut({"n": 0}), *cut({"n": 1, "text": "x" * 600}), *cut({"n": 2})]
    rows = np.arange(len(pieces))
    for gone in range(1, len(pieces) - 1):
        left = [i for i in rows if i != gone]
        got = Joiner().join(rows[left], columns([pieces[i] for i in left]))

        assert [record["n"] for record in got] == [0, 2]
