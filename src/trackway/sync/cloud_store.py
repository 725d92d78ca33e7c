"""S3 and its kin, Google Cloud Storage, Azure Blob: every request goes through `obstore`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import obstore
from obstore import exceptions

from trackway.errors import StoreError, TrackwayError, UnreachableError
from trackway.sync.aws_profile import profile_options
from trackway.sync.store import StoredObject

# What only a person can mend. Expired credentials are renewed by whoever issued them, so a
# refusal in the middle of a run is tried again; the preflight tells of the others at the start.
_HOPELESS = (
    exceptions.NotSupportedError,
    exceptions.InvalidPathError,
    exceptions.UnknownConfigurationKeyError,
)
# On a slow line a large object takes longer than a line that is dead may be waited for: what failed
# once gets so many times as long.
_PATIENCE = 20.0
_LARGE_BYTES = 1 << 20
# The library's own errors, and Python's where it has a fitting one.
_FAILURES = (exceptions.BaseError, OSError, ValueError)


class CloudStore:
    """A bucket, or what lies below a prefix in it.

    Further settings come from the environment as each provider documents them, such as
    AWS_ENDPOINT_URL for an S3 of one's own.
    """

    def __init__(self, url: str, timeout_s: float = 30.0) -> None:
        self.url = url
        self._late = ""  # the large object that did not get through
        self._store = self._client(timeout_s)
        self._patient = self._client(_PATIENCE * timeout_s)

    def _client(self, timeout_s: float) -> Any:
        options: dict[str, Any] = {
            "client_options": {
                "timeout": timedelta(seconds=timeout_s),
                "connect_timeout": timedelta(seconds=min(timeout_s, 5.0)),
                "allow_http": True,
            },
            # Tried again here, not by the library: whether a `create` that is repeated finds its
            # own object must be told from finding somebody else's.
            "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=timeout_s)},
        }
        if self.url.startswith("s3://"):
            options |= profile_options(os.environ)
            if _encrypted(options) and "AWS_UNSIGNED_PAYLOAD" not in os.environ:
                # TLS proves every byte on the way: a digest for the signature would be one more of
                # all that is shipped. Amazon's own tools leave it out, too.
                options["unsigned_payload"] = True
        try:
            return obstore.store.from_url(self.url, **options)
        except _FAILURES as error:
            raise StoreError(f"{self.url} cannot be opened: {_first_line(error)}") from error

    def create(self, key: str, data: bytes | memoryview) -> bool:
        store = self._patient if key == self._late else self._store
        try:
            obstore.put(store, key, data, mode="create", use_multipart=False)
        except exceptions.AlreadyExistsError:
            return False
        except _FAILURES as error:
            if len(data) >= _LARGE_BYTES:
                self._late = key
            raise self._told(error) from error
        return True

    def put(self, key: str, data: bytes) -> None:
        try:
            obstore.put(self._store, key, data, use_multipart=False)
        except _FAILURES as error:
            raise self._told(error) from error

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes | None:
        try:
            if end is None and start == 0:
                return bytes(obstore.get(self._store, key).bytes())
            if end is None:
                rest = obstore.get(self._store, key, options={"range": {"offset": start}})
                return bytes(rest.bytes())
            return bytes(obstore.get_range(self._store, key, start=start, end=end))
        except FileNotFoundError:
            return None
        except _FAILURES as error:
            raise self._told(error) from error

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        folder = prefix.rstrip("/") or None
        try:
            for batch in obstore.list(self._store, folder, offset=after or None):
                for meta in batch:
                    yield StoredObject(meta["path"], meta["size"])
        except _FAILURES as error:
            raise self._told(error) from error

    def folders(self, prefix: str) -> Sequence[str]:
        try:
            told = obstore.list_with_delimiter(self._store, prefix.rstrip("/") or None)
        except _FAILURES as error:
            raise self._told(error) from error
        return sorted(path.rstrip("/").rpartition("/")[2] for path in told["common_prefixes"])

    def delete(self, keys: Sequence[str]) -> None:
        try:
            if keys:
                obstore.delete(self._store, list(keys))
        except FileNotFoundError:
            # Google tells of one that is gone, and some of the others are left.
            for key in keys if len(keys) > 1 else ():
                self.delete([key])
        except _FAILURES as error:
            raise self._told(error) from error

    def _told(self, error: Exception) -> TrackwayError:
        if isinstance(error, TrackwayError):
            return error
        kind = StoreError if isinstance(error, _HOPELESS) else UnreachableError
        return kind(f"{self.url}: {_first_line(error)}")


def _encrypted(options: Mapping[str, Any]) -> bool:
    """Whether an S3 is spoken to over TLS: Amazon's always, one of somebody's own by its address."""
    places = [place for name, place in os.environ.items() if name.startswith("AWS_ENDPOINT")]
    return not any(place.startswith("http://") for place in [*places, options.get("endpoint", "")])


def _first_line(error: Exception) -> str:
    # The library's further lines are its own debugging, and may hold the request's headers.
    return (str(error).splitlines() or [type(error).__name__])[0]
