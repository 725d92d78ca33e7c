import pytest
from tests.support.dashboard import built_page


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACKWAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def page(tmp_path):
    return built_page(tmp_path / "page")


@pytest.fixture
def models(tmp_path):
    (tmp_path / "models").mkdir()
    return tmp_path / "models"
