"""The stores there are, against the contract: a folder, and those of clouds with real servers."""

from __future__ import annotations

import itertools

import pytest
from tests.contracts.store_contract import StoreContract
from tests.support.azurite_server import CONTAINER, AzuriteServer
from tests.support.google_front import GoogleFront
from tests.support.memory_store import MemoryStore
from tests.support.object_server import BUCKET, ObjectServer

from trackway.errors import StoreError, UnreachableError, UnsuitableStoreError
from trackway.sync.folder_store import FolderStore
from trackway.sync.opening import open_store
from trackway.sync.preflight import check_store

_prefixes = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = ObjectServer(tmp_path_factory.mktemp("weed"), open_to_all=True)
    server.start()
    yield server
    server.remove()


class TestFolder(StoreContract):
    many = 20  # it has no pages, and syncs every file

    @pytest.fixture
    def store(self, tmp_path):
        return open_store(str(tmp_path / "한글 폴더"))


class TestMemory(StoreContract):
    """The store of other tests keeps the contract as well."""

    @pytest.fixture
    def store(self):
        return MemoryStore()


class TestS3(StoreContract):
    @pytest.fixture
    def store(self, server, monkeypatch):
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        return open_store(f"s3://{BUCKET}/prefix-{next(_prefixes)}")


@pytest.fixture(scope="module")
def azurite(tmp_path_factory):
    server = AzuriteServer(tmp_path_factory.mktemp("azurite"))
    yield server
    server.remove()


@pytest.mark.skipif(not AzuriteServer.installed, reason="scripts/test-servers installs Azurite")
class TestAzure(StoreContract):
    many = 50  # a page holds 5,000

    @pytest.fixture
    def store(self, azurite, monkeypatch):
        for name, value in azurite.environment.items():
            monkeypatch.setenv(name, value)
        return open_store(f"az://{CONTAINER}/prefix-{next(_prefixes)}")


@pytest.fixture
def google(server, tmp_path, monkeypatch):
    front = GoogleFront(server.port, tmp_path)
    for name, value in front.environment.items():
        monkeypatch.setenv(name, value)
    yield front
    front.close()


class TestGoogle(StoreContract):
    @pytest.fixture
    def store(self, google):
        return open_store(f"gs://{BUCKET}/prefix-{next(_prefixes)}")


def test_a_server_that_ignores_googles_condition_is_refused(google):
    google.keeps_conditions = False
    store = open_store(f"gs://{BUCKET}/prefix-{next(_prefixes)}")

    with pytest.raises(UnsuitableStoreError, match="creates an object twice"):
        check_store(store)

    assert list(store.list("preflight/")) == []


class Forgetful(FolderStore):
    """Ignores the condition, as some servers silently do."""

    def create(self, key, data):
        self.put(key, data)
        return True


def test_a_store_that_ignores_the_condition_is_refused(tmp_path):
    with pytest.raises(UnsuitableStoreError, match="creates an object twice"):
        check_store(Forgetful(tmp_path))

    assert list(FolderStore(tmp_path).list("preflight/")) == []


def test_what_went_wrong_first_is_told_though_nothing_can_be_deleted(tmp_path):
    class Stubborn(Forgetful):
        def delete(self, keys):
            raise UnreachableError("no right to delete")

    with pytest.raises(UnsuitableStoreError, match="creates an object twice"):
        check_store(Stubborn(tmp_path))


def test_credentials_that_are_wrong_are_told_of_without_showing_them(server, monkeypatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")

    with pytest.raises(StoreError) as told:
        check_store(open_store(f"s3://{BUCKET}/x"))

    assert "not-the-secret" not in str(told.value)
    assert f"s3://{BUCKET}/x" in str(told.value)


@pytest.mark.parametrize(("scheme", "signed"), [("http", True), ("https", False)])
def test_contents_are_signed_where_the_line_does_not_prove_them(monkeypatch, scheme, signed):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"{scheme}://127.0.0.1:9")

    config = open_store(f"s3://{BUCKET}/x")._store.config

    assert ("unsigned_payload" not in config) is signed


def test_a_server_that_is_not_there_is_unreachable(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_REGION", "us-east-1")

    with pytest.raises(UnreachableError):
        check_store(open_store(f"s3://{BUCKET}/x"))


def test_an_address_with_credentials_is_refused_without_showing_them():
    with pytest.raises(StoreError, match="holds no credentials") as told:
        open_store("s3://AKIA123:not-the-secret@bucket/prefix")

    assert "not-the-secret" not in str(told.value)


def test_an_address_that_is_no_store_is_one_sentence():
    with pytest.raises(StoreError, match="s3://bucket/prefix"):
        open_store("ftp://somewhere/else")
