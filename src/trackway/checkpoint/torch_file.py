"""A model's zip as Stable-Baselines3 writes it, put together without torch.

The trainer only copies numbers; the writer process, which has no torch (two seconds of imports and
150 MB), lays them into the layout of `torch.save`: a zip with a pickle that names the tensors, and the bytes
of each. The pickle is written opcode by opcode from plain values, nothing is pickled:

    ["D", [[key, value], …]]   dict          ["O", …]   OrderedDict
    ["L", [value, …]]          list          ["U", …]   tuple
    ["T", number]              tensor; of each there is told: torch's storage class, shape, requires_grad,
                               and where its bytes begin and end in the one array that holds all of them
"""

from __future__ import annotations

import io
import json
import math
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Tensors = Sequence[tuple[memoryview, str, list[int], bool]]
_DATE = (1980, 1, 1, 0, 0, 0)  # torch's own


def model_zip(parts: Mapping[str, Any], memory: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """The zip.

    Args:
        parts: `data`, the text of SB3's member; `numbers` that are newer than those in it; `files`, name
            → state as above; `tensors` in them; `others`, name → bytes.
        memory: The tensors' bytes.
    """
    data = json.loads(parts["data"]) | dict(parts["numbers"])
    tensors = [(memory.data[start:end], *told) for *told, start, end in parts["tensors"]]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        _add(archive, "data", json.dumps(data, indent=4).encode())
        for name, state in parts["files"].items():
            _add(archive, name, torch_file(state, tensors))
        for name, content in parts["others"].items():
            _add(archive, name, content)
    return buffer.getvalue()


def torch_file(state: Any, tensors: Tensors) -> bytes:
    """What `torch.save` writes of such a state; `torch.load(weights_only=True)` reads it."""
    opcodes = bytearray(b"\x80\x02")
    storages: list[bytes] = []
    _emit(state, opcodes, storages, tensors)
    opcodes += b"."
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        _add(archive, "archive/data.pkl", bytes(opcodes))
        _add(archive, "archive/byteorder", b"little")
        for number, content in enumerate(storages):
            _add(archive, f"archive/data/{number}", content)
        _add(archive, "archive/version", b"3\n")
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _DATE), content)


def _emit(x: Any, out: bytearray, storages: list[bytes], tensors: Tensors) -> None:
    if x is None:
        out += b"N"
    elif isinstance(x, bool):
        out += b"\x88" if x else b"\x89"
    elif isinstance(x, int):
        content = x.to_bytes(x.bit_length() // 8 + 1, "little", signed=True)
        out += b"\x8a" + bytes([len(content)]) + content
    elif isinstance(x, float):
        out += b"G" + struct.pack(">d", x)
    elif isinstance(x, str):
        text = x.encode()
        out += b"X" + struct.pack("<I", len(text)) + text
    else:
        kind, content = x
        if kind == "T":
            _emit_tensor(out, storages, *tensors[content])
        elif kind in "DO":
            out += b"}(" if kind == "D" else b"ccollections\nOrderedDict\n)R("
            for key, value in content:
                _emit(key, out, storages, tensors)
                _emit(value, out, storages, tensors)
            out += b"u"
        else:
            out += b"](" if kind == "L" else b"("
            for value in content:
                _emit(value, out, storages, tensors)
            out += b"e" if kind == "L" else b"t"


def _emit_tensor(
    out: bytearray,
    storages: list[bytes],
    content: memoryview,
    storage: str,
    shape: list[int],
    requires_grad: bool,
) -> None:
    strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]

    def emit(value: Any) -> None:
        _emit(value, out, storages, ())

    out += b"ctorch._utils\n_rebuild_tensor_v2\n(("
    emit("storage")
    out += f"ctorch\n{storage}\n".encode()
    for part in (str(len(storages)), "cpu", math.prod(shape)):
        emit(part)
    out += b"tQ"
    for value in (0, ["U", shape], ["U", strides], requires_grad, ["O", []]):
        emit(value)
    out += b"tR"
    storages.append(bytes(content))
