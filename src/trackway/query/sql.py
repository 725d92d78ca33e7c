"""Questions in SQL over all runs of a folder, answered by DuckDB.

    answer = ask(trackway.open("models"), "SELECT run, avg(return) FROM episodes GROUP BY run")

Tables are registered as Polars LazyFrames, which DuckDB asks for no more columns and lines than the
question needs. DuckDB itself may touch nothing: no file, no network, no extension, no setting.
"""

from __future__ import annotations

import itertools
import re
from typing import Any, Final

from trackway.errors import QueryError
from trackway.query.extras import need
from trackway.query.runs import TABLES, Run, Runs, facts_frame

NAMES: Final = ("runs", *TABLES)
_LOCKED: Final = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
}
_ANSWERED: Final = {"SELECT", "EXPLAIN", "MULTI"}  # MULTI: a PIVOT, which asks twice


def ask(source: Runs | Run, sql: str) -> Any:
    """The answer as a `polars.DataFrame`.

    Args:
        source: The runs, or one.
        sql: One statement that asks: SELECT, FROM, WITH, DESCRIBE, SUMMARIZE, PIVOT, EXPLAIN.

    Raises:
        QueryError: It cannot be answered; the message is one sentence that says why.
        MissingExtraError: DuckDB or Polars is not installed.
    """
    duckdb = need("duckdb", "trackway query", "query")
    polars = need("polars", "trackway query", "query")
    # It carries answers from DuckDB to Polars.
    need("pyarrow", "trackway query", "query")
    connection = duckdb.connect(":memory:", config=_LOCKED)
    try:
        _refuse_all_but_questions(connection, sql)
        for name in NAMES:
            # A name that only looks like a table costs a registration, and nothing is read.
            if re.search(rf"\b({name}|show)\b", sql, re.IGNORECASE):
                connection.register(name, _table(source, name))
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        answer = connection.sql(sql).to_arrow_table()
        frame = polars.from_arrow(answer.rename_columns(_told_apart(answer.column_names)))
        return _plain_numbers(frame)
    except polars.exceptions.ComputeError as error:
        said = str(error).split(". ")[0]
        raise QueryError(f"CAST to VARCHAR what no table holds, as an INTERVAL: {said}") from None
    except duckdb.Error as error:
        raise QueryError(_sentence(str(error))) from None
    finally:
        connection.close()


def _table(source: Runs | Run, name: str) -> Any:
    import polars as pl

    if isinstance(source, Runs):
        return source.facts.lazy() if name == "runs" else source.table(name)
    if name == "runs":
        return facts_frame([source.facts]).lazy()
    return source.table(name).select(pl.lit(source.name).alias("run"), pl.all())


def _refuse_all_but_questions(connection: Any, sql: str) -> None:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"one question at a time: this is {len(statements)} statements")
    kind = statements[0].type.name
    if kind not in _ANSWERED:
        raise QueryError(f"{kind} changes something: runs are only asked, with SELECT")


def _plain_numbers(frame: Any) -> Any:
    """Sums of whole numbers come as DECIMAL(38, 0), which nobody expects: as int64 where they fit."""
    import polars as pl

    made = []
    for column in frame.iter_columns():
        if isinstance(column.dtype, pl.Decimal):
            whole = column.cast(pl.Int64, strict=False) if column.dtype.scale == 0 else None
            fits = whole is not None and whole.null_count() == column.null_count()
            column = whole if fits else column.cast(pl.Float64)
        made.append(column)
    return pl.DataFrame(made)


def _told_apart(names: list[str]) -> list[str]:
    """Columns that are named alike get a number."""
    made: list[str] = []
    for name in names:
        others = (f"{name}_{number}" for number in itertools.count(1))
        free = (n for n in others if n not in made and n not in names)
        made.append(next(free) if name in made else name)
    return made


def _sentence(said: str) -> str:
    """DuckDB's message without its drawing of the place."""
    told = re.split(r"\n\s*LINE \d+:", said)[0]
    missing = re.search(r"Table with name (\S+) does not exist", told)
    if missing:
        return f"there is no table {missing[1]!r}; there are: {', '.join(NAMES)}"
    if "disabled by configuration" in told or "configuration has been locked" in told:
        return "a question reads only the tables of the runs: no files, no settings"
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    return re.sub(r"^(\w+ )+Error: ", "", " ".join(lines)) or "DuckDB gives no reason"
