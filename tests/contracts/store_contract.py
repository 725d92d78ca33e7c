"""What every store must do. A new one gets its tests by subclassing `StoreContract`."""

from __future__ import annotations

import threading

import pytest

from trackway.sync.preflight import check_store
from trackway.sync.store import Store


class StoreContract:
    # More than a page of any provider's listing.
    many = 1100

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    def test_what_was_created_is_given_back_whole(self, store):
        data = bytes(range(256)) * 4096

        assert store.create("a/b/object", data)

        assert store.get("a/b/object") == data

    def test_an_empty_object_is_an_object(self, store):
        assert store.create("a/empty", b"")

        assert store.get("a/empty") == b""
        assert store.get("a/none") is None

    def test_a_taken_key_is_refused_and_what_stands_there_stays(self, store):
        store.create("a/object", b"first")

        assert not store.create("a/object", b"second")

        assert store.get("a/object") == b"first"

    def test_of_many_who_create_one_key_at_once_one_succeeds(self, store):
        outcomes: list[tuple[bool, bytes]] = []
        gate = threading.Barrier(8)

        def claim(name: bytes) -> None:
            gate.wait()
            outcomes.append((store.create("a/contended", name), name))

        threads = [threading.Thread(target=claim, args=(b"%d" % n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        winners = [name for won, name in outcomes if won]
        assert len(outcomes) == 8
        assert winners == [store.get("a/contended")]

    def test_a_put_replaces(self, store):
        store.put("watch/1", b"then")
        store.put("watch/1", b"now")

        assert store.get("watch/1") == b"now"

    def test_a_part_of_an_object_is_read(self, store):
        store.create("a/object", b"0123456789")

        assert store.get("a/object", 2, 5) == b"234"
        assert store.get("a/object", 7) == b"789"
        assert store.get("a/nothing", 2, 5) is None

    def test_keys_are_listed_in_order_and_from_where_one_likes(self, store):
        for name in ("c/2", "c/10", "c/1", "d/1"):
            store.create(name, name.encode())

        assert [item.key for item in store.list("c/")] == ["c/1", "c/10", "c/2"]
        assert [item.key for item in store.list("c/", after="c/10")] == ["c/2"]
        assert [item.size_bytes for item in store.list("d/")] == [3]
        assert list(store.list("nothing/")) == []

    def test_more_keys_than_a_page_holds_are_listed(self, store):
        keys = [f"many/{n:04d}" for n in range(self.many)]
        for key in keys:
            store.put(key, b"")

        assert [item.key for item in store.list("many/")] == keys

    def test_folders_are_told(self, store):
        for key in ("runs/a=EA/x", "runs/b/x/y", "other/z"):
            store.create(key, b"")

        assert list(store.folders("runs/")) == ["a=EA", "b"]
        assert list(store.folders("nothing/")) == []

    def test_what_was_deleted_is_gone_and_gone_twice_is_fine(self, store):
        store.create("a/object", b"data")

        store.delete(["a/object"])
        store.delete(["a/object"])

        assert store.get("a/object") is None
        assert list(store.list("a/")) == []

    def test_what_is_gone_already_does_not_keep_the_others(self, store):
        keys = [f"a/{n:02d}" for n in range(30)]
        for key in keys[-3:]:
            store.create(key, b"data")

        store.delete(keys)

        assert list(store.list("a/")) == []

    def test_it_passes_the_preflight_and_keeps_nothing_of_it(self, store):
        check_store(store)

        assert list(store.list("preflight/")) == []
