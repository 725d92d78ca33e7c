"""Trying a store before a run depends on it: does it keep the one condition, and what one writes?"""

from __future__ import annotations

import contextlib
import secrets

from trackway.errors import StoreError, UnsuitableStoreError
from trackway.sync.store import Store


def check_store(store: Store) -> None:
    """Write, read, list and delete an object of no meaning, the way a run will.

    Raises:
        UnsuitableStoreError: It overwrites where it was told to create, or does not give back at
            once what was written.
        StoreError: It refuses for want of rights, or cannot be reached.
    """
    prefix = f"preflight/{secrets.token_hex(8)}"
    key = f"{prefix}/object"
    try:
        _try(store, prefix, key)
    except StoreError:
        with contextlib.suppress(StoreError):  # what went wrong first is what is told
            store.delete([key])
        raise
    store.delete([key])


def _try(store: Store, prefix: str, key: str) -> None:
    first, second = b"first", b"second"
    # Something on the way may repeat a request; the second then finds what the first made.
    if not store.create(key, first) and store.get(key) != first:
        raise UnsuitableStoreError(store.url, "says that a key is taken which nobody has used")
    if store.create(key, second):
        raise UnsuitableStoreError(store.url, "creates an object twice instead of refusing")
    if store.get(key) != first:
        raise UnsuitableStoreError(store.url, "does not give back what was created")
    if [item.key for item in store.list(f"{prefix}/")] != [key]:
        raise UnsuitableStoreError(store.url, "does not list what was just created")
    if store.get(f"{prefix}/nothing") is not None:
        raise UnsuitableStoreError(store.url, "gives an object that nobody has created")
