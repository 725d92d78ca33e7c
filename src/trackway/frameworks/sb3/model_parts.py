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
from collections.abc import Mapping
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
        model, arrays = self._model, self._free.pop() if self._free else {}
        files: dict[str, Any] = {}
        variables = model._get_torch_save_params()[1]
        held = {name: getattr(model, name) for name in variables} if variables else {}
        for name, state in {"pytorch_variables": held, **model.get_parameters()}.items():
            files[name + _PTH] = _take(state, name, arrays)
        numbers = {name: getattr(model, name) for name in self._numbers}
        others = {"data": self._data, "numbers": numbers, "others": self._others}
        return {"files": files, **others}, arrays

    def give_back(self, arrays: Arrays) -> None:
        """The copy has been passed on; its memory may be used again."""
        if len(self._free) < 2:
            self._free.append(arrays)


def _take(x: Any, path: str, arrays: Arrays) -> Any:
    kind = type(x)
    if kind in (int, float, bool, str) or x is None:
        return x
    if isinstance(x, torch.Tensor):
        if x.dtype not in _STORAGES:
            raise TypeError(f"{path} is a tensor of {x.dtype}")
        values = x.detach().cpu().numpy()
        own = arrays.get(path)
        if own is None or own.shape != values.shape or own.dtype != values.dtype:
            arrays[path] = np.array(values, order="C")
        else:
            np.copyto(own, values)
        return ["T", path, _STORAGES[x.dtype], list(x.shape), x.requires_grad]
    if isinstance(x, Mapping) and kind in _KINDS:
        return [_KINDS[kind], [[k, _take(v, f"{path}/{k}", arrays)] for k, v in x.items()]]
    if kind in _KINDS:
        return [_KINDS[kind], [_take(v, f"{path}/{i}", arrays) for i, v in enumerate(x)]]
    if isinstance(x, float):
        return float(x)  # NumPy's
    raise TypeError(f"{path} is a {kind.__name__}")
