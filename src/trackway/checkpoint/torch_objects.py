"""Torch's tensors, generators and small values: taken apart, and put back.

Asked for where torch may never have been imported: then nothing is of it.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from trackway.checkpoint.graph import (
    NOTHING,
    Capturing,
    Node,
    OpaqueError,
    Path,
    Rebuilding,
)
from trackway.checkpoint.layout import axes_of

_NUMBERS = frozenset({"bool", "uint8", "float32", "float64", "int8", "int16", "int32", "int64"})
# NumPy does not know the second: they travel as whole numbers of their bits.
_HALVES = frozenset({"float16", "bfloat16"})


def is_tensor(x: Any) -> bool:
    """Whether it is one."""
    torch: Any = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def take_tensor(capture: Capturing, x: Any, path: Path) -> Node:
    torch: Any = sys.modules["torch"]
    kind = str(x.dtype).removeprefix("torch.")
    plain = type(x) in (torch.Tensor, torch.nn.Parameter) and x.layout is torch.strided
    if not plain or kind not in _NUMBERS | _HALVES:
        raise OpaqueError(path, f"is a {type(x).__name__} of {x.dtype}, {x.layout}")
    own, turned = x.detach().cpu(), {}
    if not own.is_contiguous() and (axes := axes_of(own.stride())) != sorted(axes):
        own, turned = own.permute(axes), {"axes": axes}
    copied = (own.view(torch.int16) if kind in _HALVES else own).numpy().copy()
    parameter = isinstance(x, torch.nn.Parameter)
    learns = {"learns": "parameter" if parameter else True} if x.requires_grad else {}
    device = {} if x.device.type == "cpu" else {"device": str(x.device)}
    node = {"k": "tensor", "a": capture.keep(copied), "t": kind, **turned, **learns, **device}
    # It may be summed up over rollouts, or read later.
    if x.requires_grad and x.is_leaf and x.grad is not None:
        node["grad"] = capture.value(x.grad, (path, ".{}", "grad"))
    if not capture.told:
        capture.of_torch.append((node, x, path))
    return node


def make_tensor(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    torch: Any = sys.modules["torch"]
    made = torch.from_numpy(np.array(rebuild.arrays[node["a"]]))
    kind = getattr(torch, node["t"])
    made = made if made.dtype == kind else made.view(kind)
    if "axes" in node:
        made = made.permute(np.argsort(node["axes"]).tolist())
    own = isinstance(fresh, torch.Tensor) and rebuild.originals is None
    if own:
        made = made.to(fresh.device)
    elif "device" in node:
        made = made.to(_here(node["device"]))
    if not node.get("learns"):
        return made
    gradient = rebuild.value(node.get("grad"), NOTHING, path)
    alike = own and (fresh.shape, fresh.dtype) == (made.shape, made.dtype)
    if alike and fresh.requires_grad and fresh.is_leaf and id(fresh) not in rebuild.claimed:
        rebuild.claimed[id(fresh)] = fresh  # an optimizer may hold it, too
        rebuild.writes.append(lambda: fresh.data.copy_(made))
        learning = fresh
    elif node["learns"] == "parameter":
        learning = torch.nn.Parameter(made)
    else:
        learning = made.requires_grad_()
    rebuild.writes.append(lambda: setattr(learning, "grad", gradient))
    return learning


def is_value(x: Any) -> bool:
    """Whether it is a shape, a type or a device of torch."""
    torch: Any = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Size | torch.dtype | torch.device)


def take_value(x: Any) -> Node:
    value = list(x) if isinstance(x, tuple) else str(x).removeprefix("torch.")
    return {"k": "torch", "t": type(x).__name__, "v": value}


def make_value(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    torch: Any = sys.modules["torch"]
    kind, value = node["t"], node["v"]
    return getattr(torch, value) if kind == "dtype" else getattr(torch, kind)(value)


def is_generator(x: Any) -> bool:
    """Whether it is a random generator of torch."""
    torch: Any = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Generator)


def take_generator(capture: Capturing, x: Any) -> Node:
    state = capture.keep(x.get_state().numpy().copy())
    return {"k": "torch.Generator", "a": state, "device": str(x.device)}


def make_generator(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    torch: Any = sys.modules["torch"]
    generator = torch.Generator(_here(node["device"]))
    generator.set_state(torch.from_numpy(np.array(rebuild.arrays[node["a"]])))
    return generator


def _here(device: str) -> str:
    """The device, or the processor where there is no such one."""
    torch: Any = sys.modules["torch"]
    kind = device.partition(":")[0]
    there = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    return device if there.get(kind, lambda: True)() else "cpu"
