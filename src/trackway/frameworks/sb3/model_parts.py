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
from typing import Any

import numpy as np
import torch

Arrays = dict[str, "np.ndarray[Any, Any]"]

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
# Of the training, not of the model: `load` makes them anew, and they would be stale here.
_PASSING = ("_last_obs", "_last_original_obs", "_last_episode_starts", "_last_lstm_states")
_WINDOWS = ("ep_info_buffer", "ep_success_buffer")
_PTH = ".pth"


class ModelParts:
    """Takes one model apart again and again.

    Args:
        model: The algorithm; its settings are those of now.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        buffer = io.BytesIO()
        model.save(buffer, exclude=[n for n in (*_PASSING, *_WINDOWS) if hasattr(model, n)])
        with zipfile.ZipFile(buffer) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        self._data = members.pop("data")
        self._numbers = [
            name
            for name, value in json.loads(self._data).items()
            if type(value) in (int, float) and hasattr(model, name)
        ]
        self._others = {n: c for n, c in members.items() if not n.endswith(_PTH)}
        self._free: list[Arrays] = []

    def take(self) -> tuple[dict[str, Any], Arrays]:
        """Copy the model: the argument of `torch_file.model_zip`, and its arrays.

        The arrays may be handed back by `give_back`; then the next copy needs no fresh memory.

        Raises:
            TypeError: A state holds something that is neither a tensor nor a plain value.
        """
        model, live = self._model, list[np.ndarray[Any, Any]]()
        files: dict[str, Any] = {}
        variables = model._get_torch_save_params()[1]
        held = {name: getattr(model, name) for name in variables} if variables else {}
        for name, state in {"pytorch_variables": held, **model.get_parameters()}.items():
            files[name + _PTH] = _take(state, name, live)
        numbers = {name: getattr(model, name) for name in self._numbers}
        others = {"data": self._data, "numbers": numbers, "others": self._others}
        return {"files": files, **others}, self._copied(live)

    def _copied(self, live: list[np.ndarray[Any, Any]]) -> Arrays:
        if self._free:
            arrays = self._free.pop()
            if [(a.shape, a.dtype) for a in arrays.values()] == [(a.shape, a.dtype) for a in live]:
                for own, values in zip(arrays.values(), live, strict=True):
                    np.copyto(own, values)
                return arrays
        return {str(i): np.array(values, order="C") for i, values in enumerate(live)}

    def give_back(self, arrays: Arrays) -> None:
        """The copy has been passed on; its memory may be used again."""
        if len(self._free) < 2:
            self._free.append(arrays)


def _take(x: Any, name: str, live: list[np.ndarray[Any, Any]]) -> Any:
    """The form that `torch_file` knows; the values of tensors, not copied, go to `live`."""
    kind = type(x)
    if kind in _PLAIN:
        return x
    if (tag := _KINDS.get(kind)) is not None:
        if kind is list or kind is tuple:
            return [tag, [_take(v, name, live) for v in x]]
        return [tag, [[k, _take(v, name, live)] for k, v in x.items()]]
    if isinstance(x, torch.Tensor):
        if (storage := _STORAGES.get(x.dtype)) is None:
            raise TypeError(f"{name} holds a tensor of {x.dtype}")
        values = x.numpy(force=True)
        live.append(values)
        return ["T", str(len(live) - 1), storage, list(values.shape), x.requires_grad]
    if isinstance(x, float):
        return float(x)  # NumPy's
    raise TypeError(f"{name} holds a {kind.__name__}")
