"""Every file of every version that was ever written opens, with what it held."""

import hashlib
import json
import struct
import zlib
from pathlib import Path

import numpy as np
from tests.golden.journal.write_v1 import SCHEMA, columns, golden

from trackway.format.segment import NOTE, ROWS, SEAL, Damage, frames, open_segment, split

V1 = Path(__file__).with_name("v1.seg").read_bytes()


def test_version_1_still_opens_with_every_value():
    opening = open_segment(V1)
    found = list(frames(V1, opening.size, opening.salt))

    assert not any(isinstance(part, Damage) for part in found)
    assert [(f.kind, f.first_row, f.count) for f in found] == [
        (ROWS, 100, 1),
        (ROWS, 101, 4),
        (NOTE, 105, 0),
        (SEAL, 107, 0),
    ]
    assert opening.header.schema == SCHEMA
    for frame in found[:2]:
        got = split(SCHEMA, 3, frame)
        for column, expected in zip(
            got.values(), columns(frame.first_row, frame.count), strict=True
        ):
            np.testing.assert_array_equal(column, expected)


def test_version_1_is_still_written_byte_for_byte():
    assert golden() == V1


def test_the_specification_is_enough_to_read_version_1_without_trackway():
    """Written from docs/reference/journal-format.md alone."""
    magic, version, mark, size = struct.unpack_from("<8sHHI", V1, 0)
    (salt,) = struct.unpack_from("<I", V1, 16)
    head = json.loads(V1[20 : 20 + size])
    at, values, digests, seal = 20 + size, {}, {}, None
    for field in head["schema"]:
        digests[field["name"]] = hashlib.blake2b(
            bytes.fromhex(head["previous"].get(field["name"], "")), digest_size=16
        )
    while at < len(V1):
        name, kind, _, count, length, payload_crc, crc = struct.unpack_from("<4sB3xQIQII", V1, at)
        payload = V1[at + 36 : at + 36 + length]
        assert name == b"TWFR"
        assert zlib.crc32(V1[at : at + 32], salt) == crc
        assert zlib.crc32(payload) == payload_crc
        if kind == 1:
            offset = 0
            for field in head["schema"]:
                dtype = np.dtype(field["dtype"]).newbyteorder("<")
                number = count * head["num_envs"] * int(np.prod(field["shape"], dtype=int))
                raw = payload[offset : offset + number * dtype.itemsize]
                digests[field["name"]].update(raw)
                values.setdefault(field["name"], []).append(np.frombuffer(raw, dtype))
                offset += len(raw)
            assert offset == length
        elif kind == 3:
            seal = json.loads(payload)
        at += 36 + length

    assert (magic, version, mark) == (b"\x89TWSEG\r\n", 1, 0xFEFF)
    assert zlib.crc32(V1[20 : 20 + size], zlib.crc32(V1[:16])) == salt
    assert seal == {"rows": 5, "digests": {name: d.hexdigest() for name, d in digests.items()}}
    assert np.isnan(values["a.float64"][0][0])
    assert values["이름"][1].shape == (4 * 3,)
