import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trackway.format.pieces import FIRST, LAST, PIECE_BYTES, Joiner, cut


def columns(pieces):
    data = np.zeros((len(pieces), 1, PIECE_BYTES), np.uint8)
    for i, (_, piece) in enumerate(pieces):
        data[i, 0, : len(piece)] = np.frombuffer(piece, np.uint8)
    return {
        "flags": np.array([flags for flags, _ in pieces], np.uint8)[:, None],
        "size": np.array([len(piece) for _, piece in pieces], np.uint16)[:, None],
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


def test_pieces_need_not_be_full():
    pieces = [(FIRST, b'{"n"'), (0, b": "), (LAST, b"1}"), *cut({"n": 2, "text": "x" * 600})]

    assert [r["n"] for r in Joiner().join(np.arange(len(pieces)), columns(pieces))] == [1, 2]


@settings(max_examples=50, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 800), min_size=1, max_size=12),
    gone=st.sets(st.integers(0, 40)),
    cuts=st.lists(st.integers(0, 40), max_size=6),
)
def test_whatever_rows_are_lost_and_however_they_come_whole_records_are_given(lengths, gone, cuts):
    pieces, wanted = [], []
    for n, length in enumerate(lengths):
        own = list(cut({"n": n, "text": "x" * length}))
        if gone.isdisjoint(range(len(pieces), len(pieces) + len(own))):
            wanted.append((len(pieces), n))
        pieces += own
    rows = np.array([row for row in range(len(pieces)) if row not in gone], int)
    joiner, got = Joiner(), []
    for part in np.split(rows, sorted(min(at, len(rows)) for at in cuts)):
        got += joiner.join_numbered(part, columns([pieces[row] for row in part]))

    assert [(row, record["n"]) for row, record in got] == wanted
