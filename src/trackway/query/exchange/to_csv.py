"""CSV: a file per table, comma-separated, UTF-8."""

from __future__ import annotations

from pathlib import Path

from trackway import files
from trackway.query.exchange.source import Source
from trackway.query.extras import need
from trackway.query.output import encode
from trackway.query.runs import TABLES


def export(source: Source, target: Path) -> list[Path]:
    """Write `<table>.csv` for every table that has a line, into the folder `target`.

    Raises:
        MissingExtraError: Polars is not installed.
    """
    pl = need("polars", "export to CSV", "query")
    written: list[Path] = []
    for name in TABLES:
        if name == "steps" and not source.options.steps:
            continue
        frame = source.run.table(name)
        if name == "steps" and source.schema is not None:
            frame = frame.filter(pl.col("env").is_in(source.envs))
            if source.options.fields is not None:
                from trackway.storage.archive.layout import Layout

                columns = [c for names in Layout(source.schema).names.values() for c in names]
                frame = frame.select("attempt", "row", "env", "timestep", *columns)
        table = frame.collect()
        if table.height:
            files.publish(target / f"{name}.csv", encode(table, "csv"))
            written.append(target / f"{name}.csv")
    return written
