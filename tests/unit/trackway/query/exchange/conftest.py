from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.recorded import BEGUN_UNIX_S, make_run, record_attempt

from trackway.format.schema import Field
from trackway.query.exchange.export import export
from trackway.query.exchange.source import Options
from trackway.query.runs import open_run

ACTION = Field("action", "float32", (2,), unit="1", description="what the step was given")


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two attempts: the second went on from timestep 800 of the first."""
    path = tmp_path_factory.mktemp("models") / "걷기"
    run = make_run(path, seed=7).path
    record_attempt(run, 300, seed=0, more=(ACTION,))
    record_attempt(run, 200, begin=800, seed=1, unix_s=BEGUN_UNIX_S + 100, more=(ACTION,))
    return run


@pytest.fixture
def exported(recorded: Path, tmp_path: Path) -> Callable[..., Path]:
    """Exports the run; gives where to."""

    def act(kind: str, name: str = "out", **options: object) -> Path:
        target = tmp_path / name
        assert export(open_run(recorded), kind, target, Options(**options))  # type: ignore[arg-type]
        return target

    return act
