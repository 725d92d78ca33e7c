"""The only place that syncs and renames: one door between Trackway and the disk.

Crash tests stand in this door to see every state that a power cut can leave.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

# A temporary name starts with a dot and ends so: no reader's pattern matches it.
_TEMPORARY = ".tmp"
# File systems without hard links: FAT, some network and container mounts.
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_counter: Iterator[int] = itertools.count()


def publish(path: Path, data: bytes | memoryview) -> None:
    """Write a file whole or not at all, durably.

    A reader sees either the old content or the new one, and after this returns a power cut
    keeps the new one: data is synced before the rename, the folder after it. The folder is made
    where it is missing.

    Raises:
        OSError: The disk refused (full, read-only, gone). Nothing of the new content is visible.
    """
    with _temporary(path, data) as temporary:
        temporary.replace(path)
    sync_folder(path.parent)


def publish_new(path: Path, data: bytes | memoryview) -> None:
    """As `publish`, for a name that must be nobody's yet.

    Raises:
        FileExistsError: The name is taken; what stands there is untouched.
        OSError: The disk refused. Nothing of the new content is visible.
    """
    with _temporary(path, data) as temporary:
        try:
            os.link(temporary, path)  # unlike a rename, it fails where the name exists
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if path.exists():
                raise FileExistsError(errno.EEXIST, "the name is taken", str(path)) from error
            temporary.replace(path)
    sync_folder(path.parent)


@contextlib.contextmanager
def _temporary(path: Path, data: bytes | memoryview) -> Iterator[Path]:
    """The data, synced, under a temporary name beside `path`; whatever is left of it goes again."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{next(_counter)}{_TEMPORARY}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder and its missing parents, each entry durable."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(path: Path) -> None:
    """Make the entries of a folder durable: names that came, went or changed."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
