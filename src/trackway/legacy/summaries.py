"""What a training left behind: said by the trainer at its end, or by the writer if it was killed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trackway.format.jsonable import missing

_DESCRIPTIONS = {
    "episodes": "every finished episode, and a snapshot of every environment at each save",
    "environment_states": "settings of the environments and their randomisation at each save",
    "learning_metrics": "losses, rates, recent episodes, memory and speed at each save",
    "checkpoints": "what each checkpoint is and how to resume from it",
    "hyperparameters": "everything that was set when training started",
    "models": "the checkpoints' models, in a folder of zips",
}


def summaries(
    status: str,
    recording: Mapping[str, Any],
    totals: Mapping[str, Any],
    unix_s: float,
    files: Mapping[str, int],
    last_checkpoint: str | None,
    losses: Mapping[str, int],
) -> list[dict[str, Any]]:
    """The documents that end a recording: `prefix` of the file name and `record`.

    Args:
        status: completed, stopped (before its end), interrupted (by an exception or the program) or
            killed.
        recording: `folder`, `started_unix_s`, `comprehensive` and `compatibility`.
        totals: `timestep`, `episodes` and `successes`; None for what is not known.
        unix_s: When it ended.
        files: Files on disk, by kind.
        last_checkpoint: The newest zip.
        losses: Further keys of the summary, of what went wrong.
    """
    episodes, successes = totals["episodes"], totals["successes"]
    record: dict[str, Any] = {
        "training_completed": status == "completed",
        "status": status,
        "final_timestep": totals["timestep"],
        "total_episodes": episodes,
        "total_successes": successes,
        "final_success_rate": None if successes is None else successes / max(episodes, 1),
        "training_duration": unix_s - recording["started_unix_s"],
        "completion_timestamp": unix_s,
        "data_files": dict(files),
        **losses,
    }
    documents = [{"prefix": "training_summary", "record": record | missing(record)}]
    if recording["comprehensive"]:
        comprehensive = {
            "training_session": {
                "start_time": recording["started_unix_s"],
                "completion_time": unix_s,
                "status": status,
                "total_timesteps": totals["timestep"],
            },
            "data_storage": {
                "realtime_data_dir": recording["folder"],
                "total_files": sum(files.values()),
                "counts": dict(files),
                "description": _DESCRIPTIONS,
            },
            "compatibility": recording["compatibility"],
            "recovery_instructions": {
                "last_checkpoint": last_checkpoint,
                "how": "the newest file in checkpoints/ holds the command under "
                "recovery_info.resume_instructions",
            },
        }
        documents.append({"prefix": "comprehensive_summary", "record": comprehensive})
    return documents
