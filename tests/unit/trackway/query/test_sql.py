import math
from pathlib import Path

import polars as pl
import pytest
from tests.support.recorded import make_run, record_attempt

import trackway
from trackway.errors import MissingExtraError, QueryError
from trackway.query import extras
from trackway.query.output import encode
from trackway.query.runs import Runs, open_run
from trackway.query.sql import ask


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for seed in (0, 1):
        record_attempt(make_run(folder / f"seed{seed}", seed=seed).path, 300, seed=seed)
    record_attempt(make_run(folder / "bad").path, 20)
    for segment in (folder / "bad").rglob("steps/*.seg"):
        segment.write_bytes(b"nothing of a segment")
    return folder


@pytest.fixture
def runs(models: Path) -> Runs:
    return trackway.open(models)


def test_every_table_can_be_asked(runs: Runs) -> None:
    told = ask(runs, "SELECT run, seed, episodes FROM runs ORDER BY run").rows()
    assert told == [("bad", 0, 0), ("seed0", 0, 24), ("seed1", 1, 24)]
    (count,) = ask(runs, "SELECT count(*) FROM steps WHERE env = 2 AND timestep > 600").row(0)
    assert count == 2 * 150
    best = ask(runs, 'SELECT run, max("return") AS best FROM episodes GROUP BY run ORDER BY run')
    assert best["run"].to_list() == ["seed0", "seed1"]
    for table, columns in {
        "updates": 'n_updates, "train/loss"',
        "events": "event, environment",
        "system": "cpu_percent",
        "starts": "episode",
        "checkpoints": "checkpoint, timestep",
    }.items():
        answer = ask(runs, f"SELECT run, {columns} FROM {table} LIMIT 3")
        assert answer.columns[0] == "run"
    joined = "SELECT count(*) FROM episodes JOIN runs USING (run) WHERE runs.status = 'finished'"
    assert ask(runs, joined).item() == 48


def test_a_run_alone_can_be_asked(models: Path) -> None:
    run = open_run(models / "seed1")

    assert ask(run, "SELECT DISTINCT run FROM steps").item() == "seed1"
    assert ask(run, "SELECT seed FROM runs").item() == 1


def test_a_damaged_run_is_named_and_the_others_answer(runs: Runs) -> None:
    assert ask(runs, "SELECT count(DISTINCT run) FROM steps").item() == 2
    assert "that can be read" in runs.skipped["bad"]


def test_no_more_columns_are_read_than_are_asked_for(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trackway.query import step_frames

    asked: list[list[str]] = []

    class Watched(step_frames.Reader):
        def __init__(self, folder: object, fields: list[str], *rest: int) -> None:
            asked.append(list(fields))
            super().__init__(folder, fields, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(step_frames, "Reader", Watched)

    ask(runs, "SELECT run, max(qpos_1) FROM steps WHERE env = 1 GROUP BY run")

    assert asked == [["qpos"], ["qpos"]]


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT rewards_ FROM episodes", 'Referenced column "rewards_" not found'),
        ("SELECT * FROM episode", "there is no table 'episode'; there are: runs, episodes"),
        ("CHOOSE 1", 'syntax error at or near "CHOOSE"'),
        ("SELECT 1; SELECT 2", "this is 2 statements"),
        ("", "this is 0 statements"),
        ("SELECT CAST('a' AS INT)", "Could not convert string 'a'"),
        ("SELECT INTERVAL 1 DAY", "CAST to VARCHAR"),
    ],
)
def test_what_cannot_be_answered_is_said_in_one_sentence(runs: Runs, sql: str, says: str) -> None:
    with pytest.raises(QueryError) as error:
        ask(runs, sql)

    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_text('{here}')",
        "SELECT * FROM glob('/*')",
        "COPY (SELECT 1) TO '{out}'",
        "EXPORT DATABASE '{out}'",
        "ATTACH '{out}'",
        "SET enable_external_access = true",
        "PRAGMA enable_profiling",
        "INSTALL httpfs",
        "LOAD httpfs",
        "CREATE TABLE x AS SELECT 1",
        "DROP VIEW runs",
        "WITH t AS (SELECT 1) INSERT INTO runs SELECT * FROM t",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM models",
    ],
)
def test_a_question_reaches_nothing_but_the_runs(runs: Runs, tmp_path: Path, sql: str) -> None:
    here, out = tmp_path / "here.txt", tmp_path / "out"
    here.write_text("a secret")

    with pytest.raises(QueryError) as error:
        ask(runs, sql.format(here=here, out=out))

    assert "secret" not in str(error.value).replace("duckdb_secrets", "")
    assert not out.exists()


def test_shorthands_of_duckdb_answer_as_well(runs: Runs) -> None:
    assert "episodes" in ask(runs, "SHOW TABLES")["name"].to_list()
    assert "reward" in ask(runs, "DESCRIBE steps")["column_name"].to_list()
    assert ask(runs, "FROM runs SELECT count(*)").item() == 3
    assert ask(runs, "PIVOT episodes ON env USING count(*) GROUP BY run").shape == (2, 5)
    assert ask(runs, "SELECT 1 AS a, 2 AS a").columns == ["a", "a_1"]
    sums = ask(runs, "SELECT sum(length), config->>'$.train.seed' FROM episodes, runs GROUP BY 2")
    assert sums.schema["sum(length)"] == pl.Int64


def test_answers_become_csv_json_and_parquet(runs: Runs, tmp_path: Path) -> None:
    answer = ask(runs, "SELECT 'é' AS a, 1.5 AS b, 'nan'::DOUBLE AS c, [1, 2] AS d, NULL::INT AS e")

    assert encode(answer, "csv").decode().splitlines() == ["a,b,c,d,e", 'é,1.5,NaN,"[1,2]",']
    assert pl.read_json(encode(answer, "json"))["c"].to_list() == [None]
    path = tmp_path / "answer.parquet"
    path.write_bytes(encode(answer, "parquet"))
    (row,) = pl.read_parquet(path).rows()
    assert row[0] == "é"
    assert math.isnan(row[2])
    assert list(row[3]) == [1, 2]


def test_a_missing_duckdb_says_how_to_install_it(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(extras.importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'trackway\[query\]'"):
        ask(runs, "SELECT 1")
