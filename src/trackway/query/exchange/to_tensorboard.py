"""TensorBoard event files: every scalar at its timestep and time; events as texts."""

from __future__ import annotations

from pathlib import Path

import orjson

from trackway.query.exchange.source import Source, facts_of
from trackway.query.extras import need


def export(source: Source, target: Path) -> list[Path]:
    """Write one event file into the folder `target`.

    Raises:
        MissingExtraError: tensorboard is not installed.
    """
    writers = need(
        "tensorboard.summary.writer.event_file_writer", "export to TensorBoard", "tensorboard"
    )
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.text.summary_v2 import text_pb

    writer = writers.EventFileWriter(str(target))
    try:
        told = orjson.dumps(facts_of(source.facts), option=orjson.OPT_INDENT_2).decode()
        writer.add_event(
            Event(step=0, wall_time=source.facts.created_unix or 0.0, summary=text_pb("run", told))
        )
        for scalars in source.scalars():
            values = [Summary.Value(tag=n, simple_value=v) for n, v in scalars.values.items()]
            writer.add_event(
                Event(
                    step=scalars.timestep,
                    wall_time=scalars.unix_s,
                    summary=Summary(value=values),
                )
            )
        for event in source.texts():
            text = text_pb(f"event/{event.get('event')}", orjson.dumps(event).decode())
            step, when = int(event.get("timestep") or 0), float(event.get("unix_s") or 0.0)
            writer.add_event(Event(step=step, wall_time=when, summary=text))
    finally:
        writer.close()
    return sorted(target.glob("events.out.tfevents.*"))
