"""The user's names: the callbacks of `training_callback.py` and the JSON files they write.

The names are loaded when they are asked for: the writer process runs `legacy.json_layout` and has
no use for Stable-Baselines3 and torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trackway.legacy.curriculum import CurriculumCallback
    from trackway.legacy.evaluation import EnhancedVisualCallback
    from trackway.legacy.saving import ComprehensiveSavingCallback, RealTimeSavingCallback
    from trackway.legacy.video import VideoRecordingCallback

__all__ = [
    "ComprehensiveSavingCallback",
    "CurriculumCallback",
    "EnhancedVisualCallback",
    "RealTimeSavingCallback",
    "VideoRecordingCallback",
]

_MODULES = {
    "ComprehensiveSavingCallback": "saving",
    "CurriculumCallback": "curriculum",
    "EnhancedVisualCallback": "evaluation",
    "RealTimeSavingCallback": "saving",
    "VideoRecordingCallback": "video",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
