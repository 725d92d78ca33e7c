"""The user's names: the callbacks of `training_callback.py` and the JSON files they write.

The names are loaded when they are asked for: the writer process runs `legacy.json_layout` and has
no use for Stable-Baselines3 and torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackway.lazy import names_of

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

__getattr__ = names_of(
    __name__,
    {
        "ComprehensiveSavingCallback": "saving",
        "CurriculumCallback": "curriculum",
        "EnhancedVisualCallback": "evaluation",
        "RealTimeSavingCallback": "saving",
        "VideoRecordingCallback": "video",
    },
)
