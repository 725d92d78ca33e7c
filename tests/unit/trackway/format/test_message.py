import numpy as np
import pytest

from trackway.format.message import bundle, decode, encode, unbundle


@pytest.mark.parametrize(
    "column",
    [
        np.arange(6.0).reshape(3, 2),
        np.array([True, False, True]),
        np.arange(3, dtype=np.int32),
        np.arange(12, dtype=np.float32)[::4],
    ],
)
def test_a_column_arrives_as_it_was_sent(column):
    _, _, columns = decode(encode(1, {}, {"a.b": column}))

    assert columns["a.b"].dtype == column.dtype
    assert np.array_equal(columns["a.b"], column)


def test_lists_and_strange_arrays_arrive_as_lists():
    sent = {"names": ["x", None], "objects": np.array(["a", "b"]), "big": np.arange(2, dtype=">i8")}

    _, _, columns = decode(encode(1, {}, sent))

    assert columns == {"names": ["x", None], "objects": ["a", "b"], "big": [0, 1]}


def test_a_message_is_a_copy():
    column = np.zeros(2)
    data = encode(-7, {"blob": b"\x00\xff", "nan": float("nan")}, {"x": column})
    column[:] = 1.0

    seq, message, columns = decode(data)

    assert seq == -7
    assert message["blob"] == b"\x00\xff"
    assert message["nan"] != message["nan"]
    assert columns["x"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("messages", [[], [b"a"], [b"", b"long" * 1000, b"\x00"]])
def test_a_bundle_falls_into_the_messages_it_was_made_of(messages):
    assert list(unbundle(bundle(messages))) == messages
