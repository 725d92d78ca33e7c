"""A Rerun recording: steps of each environment and all scalars, along timestep, time and step."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trackway.query.exchange.source import Source
from trackway.query.extras import need


def export(source: Source, target: Path) -> list[Path]:
    """Write the file `target`.

    Raises:
        MissingExtraError: rerun-sdk is not installed.
    """
    rr = need("rerun", "export to Rerun", "rerun")
    target.parent.mkdir(parents=True, exist_ok=True)
    recording = rr.RecordingStream("trackway", recording_id=source.facts.run_id or source.name)
    recording.save(str(target))
    try:
        for env in source.envs if source.options.steps and source.schema is not None else ():
            for span, rows, columns in source.batches(env):
                timesteps = span.begin + (rows + 1) * span.num_envs
                indexes = [rr.TimeColumn("timestep", sequence=timesteps)]
                if source.step_s is not None:
                    seconds = timesteps / max(1, span.num_envs) * source.step_s
                    indexes.append(rr.TimeColumn("simulated", duration=seconds))
                for name, values in columns.items():
                    flat = values.reshape(len(values), -1).astype(np.float64)
                    recording.send_columns(
                        f"steps/env{env}/{name.replace('.', '/')}",
                        indexes=indexes,
                        columns=rr.Scalars.columns(scalars=flat),
                    )
        told: dict[str, list[tuple[int, float, float]]] = {}
        for scalars in source.scalars():
            for name, value in scalars.values.items():
                told.setdefault(name, []).append((scalars.timestep, scalars.unix_s, value))
        for name, points in told.items():
            timesteps, times, values = (np.array(part) for part in zip(*points, strict=True))
            recording.send_columns(
                name,
                indexes=[
                    rr.TimeColumn("timestep", sequence=timesteps.astype(np.int64)),
                    rr.TimeColumn("time", timestamp=times.astype(np.float64)),
                ],
                columns=rr.Scalars.columns(scalars=values.astype(np.float64)),
            )
        recording.flush()
    finally:
        recording.disconnect()
    return [target]
