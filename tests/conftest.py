from collections.abc import Iterator

import pytest
from tests.support.forked import Forks


@pytest.fixture(autouse=True, scope="session")
def cache_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Indexes go where the tests' runs go, never into the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACKWAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def forks(cache_of_tests: None) -> Iterator[Forks]:
    """Trainings without the seconds that it takes to import torch."""
    forks = Forks("tests.support.exact_cases", "trackway.legacy.saving")
    yield forks
    forks.close()
