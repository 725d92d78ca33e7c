"""From an address to a store."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from trackway.errors import MissingExtraError, StoreError
from trackway.sync.folder_store import FolderStore
from trackway.sync.store import Store

# Where a training ships itself, when its command line does not say.
STORE_VARIABLE: Final = "TRACKWAY_STORE"
_SCHEMES: Final = ("s3", "gs", "az")


def open_store(url: str, timeout_s: float = 30.0) -> Store:
    """The store at an address: a folder's path, `s3://bucket/prefix`, `gs://…` or `az://…`.

    Credentials come from the provider's usual places: environment, profile, instance.

    Raises:
        StoreError: Nothing like it is known, or it holds credentials.
        MissingExtraError: The library for it is not installed.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme == "file":
        return FolderStore(Path(rest or url))
    if scheme not in _SCHEMES:
        raise StoreError(
            f"{url} is no store: use a folder, or s3://bucket/prefix, gs://bucket/prefix, "
            "az://container/prefix"
        )
    if "@" in rest.partition("/")[0]:
        raise StoreError(
            "the address of a store holds no credentials, since it is kept with the run: put them "
            f"where the provider's own tools look, and give {scheme}://bucket/prefix"
        )
    try:
        from trackway.sync.cloud_store import CloudStore
    except ModuleNotFoundError as error:
        raise MissingExtraError(url, "store") from error
    return CloudStore(url, timeout_s)


def is_store(address: str) -> bool:
    """Whether an address names a store rather than a folder of runs."""
    return address.partition("://")[0] in (*_SCHEMES, "file") and "://" in address
