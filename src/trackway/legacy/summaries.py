"""What a training left behind, said at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trackway.frameworks.sb3.episodes import Episodes
from trackway.legacy.json_layout import (
    CHECKPOINTS,
    EPISODES,
    HYPERPARAMETERS,
    METRICS,
    MODELS,
    STATES,
)
from trackway.legacy.records import missing
from trackway.recorder.outbox import Delivery

_DESCRIPTIONS = {
    EPISODES: "every finished episode, and a snapshot of every environment at each save",
    STATES: "settings of the environments and their randomisation at each save",
    METRICS: "losses, rates, recent episodes, memory and speed at each save",
    CHECKPOINTS: "what each checkpoint is and how to resume from it",
    HYPERPARAMETERS: "everything that was set when training started",
    MODELS: "the checkpoints' models, in a folder of zips",
}


def training_summary(
    status: str,
    timestep: int,
    episodes: Episodes | None,
    span: tuple[float, float],
    delivery: Delivery,
) -> dict[str, Any]:
    """How a training ended: `status` is completed, stopped, interrupted or killed.

    `span` is its start and end in unix seconds.
    """
    count = int(episodes.counts.sum()) if episodes else None
    known = episodes is not None and episodes.success_known
    successes = int(episodes.successes.sum()) if episodes and known else None
    record: dict[str, Any] = {
        "training_completed": status == "completed",
        "status": status,
        "final_timestep": timestep,
        "total_episodes": count,
        "total_successes": successes,
        "final_success_rate": None if successes is None else successes / max(count or 0, 1),
        "training_duration": span[1] - span[0],
        "completion_timestamp": span[1],
        "data_files": dict(delivery.files),
        "lost_records": delivery.lost_records,
        "failed_writes": delivery.failures,
    }
    return record | missing(record)


def comprehensive_summary(
    status: str,
    timestep: int,
    folder: Path,
    span: tuple[float, float],
    delivery: Delivery,
    compatibility: dict[str, Any],
) -> dict[str, Any]:
    """What was recorded where, and how to go on from it."""
    last = delivery.last.get(MODELS)
    return {
        "training_session": {
            "start_time": span[0],
            "completion_time": span[1],
            "status": status,
            "total_timesteps": timestep,
        },
        "data_storage": {
            "realtime_data_dir": str(folder),
            "total_files": sum(delivery.files.values()),
            "counts": dict(delivery.files),
            "records": dict(delivery.records),
            "description": _DESCRIPTIONS,
        },
        "compatibility": compatibility,
        "recovery_instructions": {
            "last_checkpoint": None if last is None else str(last),
            "how": f"the newest file in {folder / CHECKPOINTS} holds the command "
            "under recovery_info.resume_instructions",
        },
    }
