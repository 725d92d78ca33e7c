"""Parts of every version that was ever written open, with what they held."""

import hashlib
import shutil
import struct
import zlib
from pathlib import Path

import mujoco
import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest
from tests.golden.archive.write_v1 import BATCHES, RECORDS
from tests.golden.archive.write_v2 import EPISODE, ROWS
from tests.golden.archive.write_v2 import NUM_ENVS as CARTS
from tests.support.archives import NUM_ENVS, SCHEMA, values

from trackway.errors import FormatError
from trackway.format import pieces
from trackway.storage.archive.part import open_part
from trackway.storage.places import named_attempt, scenes_folder

V1, V1_RECORDS = (Path(__file__).with_name(f"v1{name}.parquet") for name in ("", "-records"))
V2 = Path(__file__).with_name("v2.parquet")


def given():
    """What was recorded, as `Recorded.batch` gives it."""
    parts, first = [], 0
    for count in BATCHES:
        for size in (count // 2, count - count // 2):
            parts.append(values(first, size))
            first += size
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def test_version_1_still_opens_with_every_value():
    with open_part(V1) as part:
        assert part.header.schema == SCHEMA
        assert [segment.number for segment in part.header.segments] == [0, 1, 2]
        assert [note["row"] for note in part.header.notes] == [5, 8, 8]
        assert part.rows.tolist() == list(range(8))
        assert part.wrong_fields() == ([], [])
        for name, expected in given().items():
            (found,) = part.values([name], slice(0, 8))
            assert found.tobytes() == expected.tobytes()


def test_records_of_version_1_still_open():
    with open_part(V1_RECORDS) as part:
        names = [field.name for field in pieces.SCHEMA]
        found = part.values(names, slice(0, len(part.rows)))
        joined = pieces.Joiner().join(part.rows, dict(zip(names, found, strict=True)))

    assert joined == [orjson.loads(record) for record in RECORDS]


def test_the_specification_is_enough_to_prove_version_1_without_trackway():
    """Written from docs/reference/archive-format.md alone."""
    data = V1.read_bytes()
    (footer_size,) = struct.unpack_from("<I", data, len(data) - 8)
    footer = len(data) - 8 - footer_size
    crc, count, magic, own = struct.unpack_from("<II4sI", data, footer - 16)
    begin = footer - 16 - 12 * count
    assert magic == b"TWCK"
    assert zlib.crc32(data[begin : footer - 4]) == own
    assert zlib.crc32(data[footer:-8]) == crc
    sizes = struct.unpack_from(f"<{count}Q", data, begin)
    crcs = struct.unpack_from(f"<{count}I", data, begin + 8 * count)
    at = 4
    for size, expected in zip(sizes, crcs, strict=True):
        assert zlib.crc32(data[at : at + size]) == expected
        at += size
    assert at == begin

    table = pq.read_table(V1)
    told = orjson.loads(pq.read_metadata(V1).metadata[b"trackway"])
    rows = told["rows"]
    for field in told["schema"]:
        columns = [
            np.asarray(table[column.name].to_pylist()).reshape(NUM_ENVS, rows, -1)
            for column in table.schema
            if column.metadata.get(b"field") == field["name"].encode()
        ]
        joined = np.concatenate(columns, axis=-1).astype(field["dtype"]).swapaxes(0, 1)
        digest, start = told["previous"].get(field["name"], ""), 0
        for segment in told["segments"]:
            raw = np.ascontiguousarray(joined[start : start + segment["rows"]]).tobytes()
            state = hashlib.blake2b(bytes.fromhex(digest), digest_size=16)
            state.update(raw)
            digest = state.hexdigest()
            assert digest == segment["digests"][field["name"]]
            start += segment["rows"]


def test_version_2_still_opens_and_what_it_lacks_is_simulated(tmp_path):
    path = named_attempt(tmp_path, "001-a").stream("steps").part(0, 0, 1)
    path.parent.mkdir(parents=True)
    shutil.copy(V2, path)
    scenes_folder(tmp_path).mkdir()
    for model in V2.parent.glob("*.mjb"):
        shutil.copy(model, scenes_folder(tmp_path))

    with open_part(path) as part:
        assert (part.header.tier, part.header.resim.lines) == ("resim", CARTS * ROWS)
        action, reward = part.values(["action", "reward"], slice(0, ROWS))
        (ctrl,) = part.values(["ctrl"], slice(0, ROWS))
        assert ctrl.tobytes() == (action.astype(np.float64) * 0.5 + 0.1).tobytes()
        assert reward.shape == (ROWS, CARTS)
        if part.header.resim.mujoco == mujoco.__version__:
            assert part.wrong_fields() == ([], [])
        else:
            with pytest.raises(FormatError, match="pip install mujoco=="):
                part.values(["qpos"], slice(0, ROWS))


def test_the_specification_is_enough_to_simulate_version_2_without_trackway():
    """Written from docs/reference/archive-format.md alone."""
    table = pq.read_table(V2).to_pydict()
    told = orjson.loads(pq.read_metadata(V2).metadata[b"trackway"])
    again, rows = told["resim"], told["rows"]
    assert (told["version"], told["tier"]) == (2, "resim")
    lines = [i for i, n in enumerate(table["trackway.rows"]) if n is not None]
    assert [line % rows for line in lines] == [0, 256, EPISODE] * CARTS
    assert all(table["qpos_0"][i] is None for i in range(CARTS * rows))
    if again["mujoco"] != mujoco.__version__:
        return
    (scene,) = again["scenes"]
    model = mujoco.MjModel.from_binary_path(str(V2.with_name(f"{scene['physics']}.mjb")))
    state = int(mujoco.mjtState.mjSTATE_INTEGRATION) & ~int(mujoco.mjtState.mjSTATE_CTRL)
    column, scale, offset = again["scaled"]["ctrl_0"]
    for line in lines:
        data = mujoco.MjData(model)
        mujoco.mj_setState(model, data, np.array(table["trackway.state"][line]), state)
        made = {name: [] for name in again["simulated"]}
        for i in range(line, line + table["trackway.rows"][line]):
            data.ctrl[0] = table[column][i] * scale + offset
            mujoco.mj_step(model, data, scene["substeps"])
            for name, (source, index) in again["simulated"].items():
                made[name].append(getattr(data, source)[index])
        check = 0
        for numbers in made.values():
            check = zlib.crc32(np.array(numbers), check)
        assert check == table["trackway.check"][line]
