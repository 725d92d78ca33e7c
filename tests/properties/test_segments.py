"""What goes into a segment comes out of it, bit for bit."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.segments import parts

from trackway.format.schema import DTYPES, Field, Schema
from trackway.format.segment import SegmentHeader, encode_rows, open_segment, split

FIELDS = st.builds(
    Field,
    name=st.text(st.characters(min_codepoint=33, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20),
    dtype=st.sampled_from(DTYPES),
    shape=st.lists(st.integers(1, 3), max_size=3).map(tuple),
    unit=st.text(max_size=5),
    description=st.text(max_size=20),
)  # fmt: skip
SCHEMAS = st.lists(FIELDS, min_size=1, max_size=5, unique_by=lambda f: f.name).map(
    lambda fields: Schema(*fields)
)


@settings(max_examples=60, deadline=None)
@given(
    schema=SCHEMAS, num_envs=st.integers(1, 4), counts=st.lists(st.integers(0, 4)), data=st.data()
)
def test_rows_of_every_dtype_come_back_bit_for_bit(schema, num_envs, counts, data):
    head = SegmentHeader("001", "stream", 3, 17, num_envs, schema)
    written = head.encode()
    salt = open_segment(written).salt
    first, given_payloads = head.first_row, []
    for count in counts:
        # Raw bytes: they hold every NaN, infinity and denormal there is.
        size = count * schema.row_bytes(num_envs)
        raw = data.draw(st.binary(min_size=size, max_size=size))
        raw = _tame_bools(schema, num_envs, count, raw)
        columns = _split_raw(schema, num_envs, count, raw)
        written += encode_rows(salt, first, count, columns)
        given_payloads.append(raw)
        first += count
    found, damage = parts(written)

    assert open_segment(written).header == head
    assert damage == []
    assert [frame.count for frame in found] == counts
    for frame, raw in zip(found, given_payloads, strict=True):
        columns = split(schema, num_envs, frame)
        assert b"".join(column.tobytes() for column in columns.values()) == raw
        for field in schema:
            assert columns[field.name].dtype == field.dtype
            assert columns[field.name].shape == (frame.count, num_envs, *field.shape)


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 400), junk=st.binary(max_size=200), count=st.integers(1, 5))
def test_any_tail_leaves_the_frames_before_it_readable(cut, junk, count):
    head = SegmentHeader("001", "stream", 0, 0, 1, Schema(Field("x", "uint8", (16,))))
    salt = open_segment(head.encode()).salt
    whole = head.encode()
    for row in range(count):
        whole += encode_rows(salt, row, 1, _split_raw(head.schema, 1, 1, bytes([row]) * 16))
    torn = encode_rows(salt, count, 1, _split_raw(head.schema, 1, 1, b"t" * 16))[:-1]
    # A byte that is not the missing one, else the frame would be whole.
    found, _ = parts(whole + torn[:cut] + b"-" + junk)

    assert [bytes(frame.payload) for frame in found] == [bytes([row]) * 16 for row in range(count)]


def _split_raw(schema, num_envs, count, raw):
    from trackway.format.segment import ROWS, Frame

    return list(
        split(schema, num_envs, Frame(ROWS, 0, count, memoryview(raw), 0, len(raw))).values()
    )


def _tame_bools(schema, num_envs, count, raw):
    """NumPy's bool is 0 or 1; other bytes are not values of it."""
    out, offset = bytearray(raw), 0
    for field in schema:
        size = count * num_envs * field.value_bytes
        if field.dtype == "bool":
            out[offset : offset + size] = bytes(b & 1 for b in out[offset : offset + size])
        offset += size
    return bytes(out)
