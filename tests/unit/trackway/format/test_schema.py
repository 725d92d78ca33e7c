import numpy as np
import pytest

from trackway.errors import SchemaError
from trackway.format.schema import DTYPES, Field, Schema


def test_a_schema_comes_back_from_its_json():
    schema = Schema(
        Field("qpos", "float64", (19,), unit="m, rad", description="generalised positions"),
        Field("contact.foot", np.bool_, (4,)),
        Field("한글", ">i1"),
    )

    assert Schema.from_json(schema.to_json()) == schema


def test_a_row_has_every_field_of_every_environment_and_no_padding():
    schema = Schema(Field("done", "bool"), Field("qpos", "float64", (3,)))

    assert schema.row_bytes(num_envs=12) == 12 * (1 + 3 * 8)


def test_a_schema_is_taken_from_arrays():
    schema = Schema.of({"qpos": np.zeros((12, 19)), "reward": np.zeros(12, np.float32)})

    assert [(f.name, f.dtype, f.shape) for f in schema] == [
        ("qpos", "float64", (19,)),
        ("reward", "float32", ()),
    ]


@pytest.mark.parametrize("dtype", [">f8", ">u2", np.dtype(">i4")])
def test_big_endian_is_refused_with_what_to_give(dtype):
    little = np.dtype(dtype).newbyteorder("<").name

    with pytest.raises(SchemaError, match=f"big-endian.*give '{little}'"):
        Field("qpos", dtype)


@pytest.mark.parametrize("dtype", ["complex64", "object", "U8", "S4", "datetime64[s]", "float23"])
def test_a_dtype_that_rows_cannot_hold_is_refused_with_those_that_can(dtype):
    with pytest.raises(SchemaError, match="float64"):
        Field("qpos", dtype)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201])
def test_an_unusable_name_is_refused(name):
    with pytest.raises(SchemaError, match="cannot name a field"):
        Field(name)


def test_empty_and_doubled_schemas_are_refused():
    with pytest.raises(SchemaError, match="at least one"):
        Schema()
    with pytest.raises(SchemaError, match="named twice: a"):
        Schema(Field("a"), Field("a"))
    with pytest.raises(SchemaError, match="every size is 1 or more"):
        Field("a", shape=(3, 0))


def test_what_is_no_schema_is_refused():
    for told in (None, 3, [{"name": "a"}], [{"name": "a", "dtype": "f8"}]):
        with pytest.raises(SchemaError, match="no schema"):
            Schema.from_json(told)


def test_every_listed_dtype_is_accepted_under_its_own_name():
    assert [Field("x", dtype).dtype for dtype in DTYPES] == list(DTYPES)
