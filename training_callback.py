"""The callbacks under the module name that training scripts import them from."""

from trackway.legacy import (
    ComprehensiveSavingCallback,
    CurriculumCallback,
    EnhancedVisualCallback,
    RealTimeSavingCallback,
    VideoRecordingCallback,
)

__all__ = [
    "ComprehensiveSavingCallback",
    "CurriculumCallback",
    "EnhancedVisualCallback",
    "RealTimeSavingCallback",
    "VideoRecordingCallback",
]
