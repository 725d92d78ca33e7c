"""A folder as a store: a disk in the same machine, or one that others mount as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from trackway import files
from trackway.errors import StoreError, UnreachableError
from trackway.sync.store import StoredObject


class FolderStore:
    """Every object is a file, published whole; `create` is a hard link, which one of two makes."""

    def __init__(self, path: Path) -> None:
        self._path = path.expanduser().absolute()
        self.url = str(self._path)

    def create(self, key: str, data: bytes | memoryview) -> bool:
        try:
            files.publish_new(self._file(key), data)
        except FileExistsError:
            return False
        except OSError as error:
            raise self._unreachable(error) from error
        return True

    def put(self, key: str, data: bytes) -> None:
        try:
            files.publish(self._file(key), data)
        except OSError as error:
            raise self._unreachable(error) from error

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes | None:
        try:
            with self._file(key).open("rb") as file:
                file.seek(start)
                return file.read() if end is None else file.read(end - start)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreachable(error) from error

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        found = []
        for path in self._file(prefix).rglob("*"):
            key = path.relative_to(self._path).as_posix()
            if key > after and path.is_file() and not path.name.startswith("."):
                found.append(StoredObject(key, path.stat().st_size))
        return iter(sorted(found, key=lambda item: item.key))

    def folders(self, prefix: str) -> Sequence[str]:
        return sorted(path.name for path in self._file(prefix).glob("*/") if path.is_dir())

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            path = self._file(key)
            if path.exists():
                files.remove(path)

    def _file(self, key: str) -> Path:
        if ".." in key.split("/") or key.startswith("/"):
            raise StoreError(f"{key!r} is no key of a store")
        return self._path / key

    def _unreachable(self, error: OSError) -> UnreachableError:
        return UnreachableError(f"{self._path} cannot be used now: {error}")
