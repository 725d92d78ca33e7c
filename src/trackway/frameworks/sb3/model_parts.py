"""What `model.save` would write, copied in a fraction of a millisecond and put together elsewhere.

`model.save` pickles every setting again each time, and torch copies every tensor thrice. Settings do
not change while a training runs: they are written once, by Stable-Baselines3 itself. Weights and the
optimizers' moments are copied into buffers that are used again.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trackway.frameworks.sb3.state import model_zip

_Kind = tuple[torch.dtype, torch.Size, bool]
_KIND: Callable[[torch.Tensor], _Kind] = attrgetter("dtype", "shape", "requires_grad")

Memory = NDArray[np.uint8]

_STORAGES = {
    torch.float32: "FloatStorage",
    torch.float64: "DoubleStorage",
    torch.int64: "LongStorage",
    torch.int32: "IntStorage",
    torch.uint8: "ByteStorage",
    torch.bool: "BoolStorage",
}
_KINDS: dict[Any, str] = {dict: "D", OrderedDict: "O", list: "L", tuple: "U"}
_PLAIN = frozenset({int, float, bool, str, type(None)})
_NUMBERS = frozenset({int, float, bool})
# Of the training, not of the model: `load` makes them anew, and they would be stale here.
_PASSING = ("_last_obs", "_last_original_obs", "_last_episode_starts", "_last_lstm_states")
_WINDOWS = ("ep_info_buffer", "ep_success_buffer")
_PTH = ".pth"
_ALIGNED = 64  # a line of the processor's cache


class ModelParts:
    """Takes one model apart again and again.

    Args:
        model: The algorithm; its settings are those of now.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        whole = model_zip(model, [n for n in (*_PASSING, *_WINDOWS) if hasattr(model, n)])
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        self._data = members.pop("data")
        self._numbers = [
            name
            for name, value in json.loads(self._data).items()
            if type(value) in (int, float) and hasattr(model, name)
        ]
        self._others = {n: c for n, c in members.items() if not n.endswith(_PTH)}
        self._free: list[_Copies] = []

    def take(self) -> tuple[dict[str, Any], Memory, Callable[[], None]]:
        """Copy the model: the arguments of `torch_file.model_zip`.

        Call what comes with them when they have been passed on; then the next copy needs no fresh memory.

        Raises:
            TypeError: A state holds something that is neither a tensor nor a plain value.
        """
        model, live = self._model, list[torch.Tensor]()
        files: dict[str, Any] = {}
        variables = model._get_torch_save_params()[1]
        held = {name: getattr(model, name) for name in variables} if variables else {}
        for name, state in {"pytorch_variables": held, **model.get_parameters()}.items():
            files[name + _PTH] = _take(state, name, live)
        numbers = {
            n: x for n in self._numbers if (x := _number(getattr(model, n, None))) is not None
        }
        others = {"data": self._data, "numbers": numbers, "others": self._others}
        copies = self._free.pop() if self._free else None
        kinds = list(map(_KIND, live))
        if copies is None or copies.kinds != kinds:
            copies = _copies_for(live, kinds)
        if any(learns for _, _, learns in kinds):
            live = [x.detach() for x in live]
        # One call for all: a call for each takes longer than its bytes.
        torch._foreach_copy_(copies.own, live)
        parts = {"files": files, "tensors": copies.told, **others}
        return parts, copies.memory, partial(self._give_back, copies)

    def _give_back(self, copies: _Copies) -> None:
        if len(self._free) < 2:
            self._free.append(copies)


@dataclass(frozen=True)
class _Copies:
    """Memory for a copy of every tensor.

    Attributes:
        own: In the order in which the model's are met.
        kinds: Of the model's: dtype, shape, whether it learns.
        told: The same as `torch_file` is told it, and where each begins and ends in `memory`.
    """

    own: list[torch.Tensor]
    kinds: list[_Kind]
    told: list[tuple[str, list[int], bool, int, int]]
    memory: Memory


def _copies_for(live: list[torch.Tensor], kinds: list[_Kind]) -> _Copies:
    for x in live:
        if x.dtype not in _STORAGES or x.layout is not torch.strided:
            raise TypeError(f"it holds a tensor of {x.dtype}, {x.layout}")
    starts = list(accumulate((-(-x.nbytes // _ALIGNED) * _ALIGNED for x in live), initial=0))
    places = [(start, start + x.nbytes) for start, x in zip(starts, live, strict=False)]
    # One piece: it is sent as one, and NumPy asks for large pages, in which copying takes a sixth less.
    memory = np.empty(starts[-1], np.uint8)
    whole = torch.from_numpy(memory)
    own = [
        whole[start:end].view(dtype).view(shape)
        for (start, end), (dtype, shape, _) in zip(places, kinds, strict=True)
    ]
    told = [
        (_STORAGES[dtype], list(shape), learns, *place)
        for place, (dtype, shape, learns) in zip(places, kinds, strict=True)
    ]
    return _Copies(own, kinds, told, memory)


def _number(x: Any) -> int | float | None:
    """As Python has it, also if NumPy or torch made it; None if it has become something else."""
    if isinstance(x, np.generic | torch.Tensor) and x.ndim == 0:
        x = x.item()
    return x if type(x) in _NUMBERS else None


def _take(x: Any, name: str, live: list[torch.Tensor]) -> Any:
    """The form that `torch_file` knows; the tensors, not copied, go to `live`."""
    if isinstance(x, torch.Tensor):
        live.append(x)
        return ("T", len(live) - 1)
    kind = type(x)
    if kind in _PLAIN:
        return x
    if (tag := _KINDS.get(kind)) is not None:
        if kind is list or kind is tuple:
            return [tag, [v if type(v) in _PLAIN else _take(v, name, live) for v in x]]
        return [
            tag,
            [(k, v if type(v) in _PLAIN else _take(v, name, live)) for k, v in x.items()],
        ]
    if isinstance(x, np.generic) and type(plain := x.item()) in _PLAIN:
        return plain  # as a pickle torch's `load` refuses it
    raise TypeError(f"{name} holds a {kind.__name__}")
