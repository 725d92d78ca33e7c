import numpy as np
import pytest

from trackway.format.schema import Field, Schema
from trackway.recorder import gather as gathering
from trackway.recorder.gather import Gather
from trackway.storage.ring import RingSpec, create_ring

NUM_ENVS = 5
KINDS = ("float64", "float32", "int64", "uint8", "bool")
TERMS = [Field(f"term{i}", "float32") for i in range(7)]
SCHEMA = Schema(
    *(Field(f"{kind}{size}", kind, (size,)) for kind in KINDS for size in (1, 3, 60, 2000)),
    *TERMS,
    *(Field(f"scalar {kind}", kind) for kind in KINDS),
)


@pytest.fixture
def ring(tmp_path):
    spec = RingSpec("steps", "columns", NUM_ENVS, SCHEMA, capacity=8, segment_rows=100)
    return create_ring(tmp_path / "ring", spec)


def layouts(field, luck):
    """Arrays of the field's shape: as in the row, strided, reversed, of another type."""
    shape = (NUM_ENVS, *field.shape)
    plain = luck.integers(0, 2, shape) if field.dtype == "bool" else luck.integers(0, 200, shape)
    plain = plain.astype(field.dtype)
    wide = np.zeros((2 * NUM_ENVS, *field.shape, 3), field.dtype)
    strided = wide[::2, ..., 1]
    strided[...] = plain
    other = plain.astype("float64" if field.dtype == "float32" else field.dtype)
    return [plain, strided, plain[::-1].copy()[::-1], other]


@pytest.fixture(params=[2, 5, 10**9], autouse=True)
def many(request, monkeypatch):
    """From how many sources on a detour is made; what comes out is the same."""
    monkeypatch.setattr(gathering, "_MANY", request.param)
    return request.param


@pytest.mark.parametrize("seed", range(8))
def test_what_goes_in_comes_out_whatever_the_layout_and_as_it_is_at_that_moment(ring, seed):
    luck = np.random.default_rng(seed)
    sources = {f.name: luck.permutation(4) for f in SCHEMA}
    sources = {f.name: layouts(f, luck)[sources[f.name][0]] for f in SCHEMA}
    matrix = luck.normal(size=(NUM_ENVS, 9))
    sources |= {field.name: matrix[:, i + 1] for i, field in enumerate(TERMS)}
    gather = Gather(ring, sources)
    for slot in (0, 7, 3):
        matrix += 1.0
        for source in sources.values():
            if source.dtype == bool:
                np.logical_not(source, out=source)
            else:
                source += source.dtype.type(1)
        gather.write(slot)

        for field in SCHEMA:
            expected = sources[field.name].astype(field.dtype)
            np.testing.assert_array_equal(ring.columns[field.name][slot], expected, field.name)
    assert not ring.packed[5].any()


def test_only_what_was_named_is_written(ring):
    ring.packed[...] = 255
    Gather(ring, {"scalar bool": np.zeros(NUM_ENVS, bool)}).write(2)

    assert (ring.packed[2] == 0).sum() == NUM_ENVS
    assert (ring.columns["scalar bool"][2] == 0).all()


def test_columns_of_a_matrix_are_copied_at_once_and_others_are_not_mistaken_for_it(ring):
    matrix, another = np.ones((NUM_ENVS, 9)), np.full((NUM_ENVS, 9), 2.0)
    apart = {f.name: matrix[:, i] for f, i in zip(TERMS, (0, 1, 2, 5, 8, 3, 4), strict=True)}
    mixed = apart | {"term6": another[:, 3]}
    together = Gather(ring, {field.name: matrix[:, i] for i, field in enumerate(TERMS)})
    matrix[:] = np.arange(9)

    assert len(together._staged) + len(together._direct) == 1
    Gather(ring, mixed).write(0)
    assert [ring.columns[f.name][0, 0] for f in TERMS] == [0, 1, 2, 5, 8, 3, 2]


def test_many_neighbours_of_another_type_are_converted_at_once(ring, many):
    wide = {f"float32{size}": np.full((NUM_ENVS, size), 0.1 * size) for size in (1, 3)}
    wide |= {"float642000": np.ones((NUM_ENVS, 2000))}
    gather = Gather(ring, wide)
    gather.write(1)

    assert len(gather._staged) == (1 if many == 2 else 0)
    for name, source in wide.items():
        np.testing.assert_array_equal(
            ring.columns[name][1], source.astype(ring.columns[name].dtype)
        )


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        ({"absent": np.zeros(NUM_ENVS)}, "no field 'absent'"),
        ({"scalar bool": np.zeros(NUM_ENVS + 1, bool)}, r"shape \(5,\); its source \(6,\)"),
    ],
)
def test_sources_that_do_not_fit_are_refused(ring, sources, says):
    with pytest.raises(ValueError, match=says):
        Gather(ring, sources)
