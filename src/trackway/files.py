"""The only place that syncs and renames: one door between Trackway and the disk.

Crash tests stand in this door to see every state that a power cut can leave.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path

# A temporary name starts with a dot and ends so: no reader's pattern matches it.
_TEMPORARY = ".tmp"
# File systems without hard links: FAT, some network and container mounts.
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_counter: Iterator[int] = itertools.count()


def publish(path: Path, data: bytes | memoryview, *, mtime_ns: int | None = None) -> None:
    """Write a file whole or not at all, durably.

    A reader sees either the old content or the new one, and after this returns a power cut
    keeps the new one: data is synced before the rename, the folder after it. The folder is made
    where it is missing. With `mtime_ns` that is the file's time from its first moment on.

    Raises:
        OSError: The disk refused (full, read-only, gone). Nothing of the new content is visible.
    """
    with _temporary(path, data) as temporary:
        if mtime_ns is not None:
            os.utime(temporary, ns=(mtime_ns, mtime_ns))
        _rename(temporary, path)
    sync_folder(path.parent)


def publish_new(path: Path, data: bytes | memoryview) -> None:
    """As `publish`, for a name that must be nobody's yet.

    Raises:
        FileExistsError: The name is taken; what stands there is untouched.
        OSError: The disk refused. Nothing of the new content is visible.
    """
    with _temporary(path, data) as temporary:
        try:
            _link(temporary, path)  # unlike a rename, it fails where the name exists
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if path.exists():
                raise FileExistsError(errno.EEXIST, "the name is taken", str(path)) from error
            _rename(temporary, path)
    sync_folder(path.parent)


@contextlib.contextmanager
def _temporary(path: Path, data: bytes | memoryview) -> Iterator[Path]:
    """The data, synced, under a temporary name beside `path`; whatever is left of it goes again."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{next(_counter)}{_TEMPORARY}")
    try:
        file = AppendFile(temporary, _create(temporary))
        try:
            file.append(data)
            file.sync_data()
        finally:
            file.close()
        yield temporary
    except OSError as error:
        error.filename = str(path)  # which a full disk does not tell, or by its temporary name
        raise
    finally:
        with contextlib.suppress(OSError):
            _unlink(temporary)


@contextlib.contextmanager
def building(path: Path) -> Iterator[Path]:
    """A temporary name to write a large file under; it becomes `path` when the block ends well.

    As with `publish`, readers see the file whole or not at all, and a power cut keeps it.

    Raises:
        OSError: The disk refused. Nothing of the new file is visible.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{next(_counter)}{_TEMPORARY}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove_leftovers(folder: Path, suffix: str) -> None:
    """Take away what a killed process left of files of this kind that it was building.

    Only for whoever holds the lock under which such files are built there.
    """
    for path in folder.glob(f".*{suffix}.*{_TEMPORARY}"):
        path.unlink(missing_ok=True)


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


class AppendFile:
    """A file that only grows, and whose growth can be made durable.

    Attributes:
        size: Bytes in the file, as far as this object wrote or found them.
    """

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self.size = os.fstat(handle).st_size
        self._handle = handle

    def append(self, data: bytes | memoryview) -> None:
        """Write all of it at the end.

        Raises:
            OSError: The disk refused; some of it may stand in the file, beyond `size`.
        """
        view = memoryview(data)
        while view:
            view = view[os.pwrite(self._handle, view, self.size + len(data) - len(view)) :]
        self.size += len(data)

    def cut(self) -> None:
        """Take back what a failed `append` left beyond `size`."""
        os.ftruncate(self._handle, self.size)

    def sync_data(self) -> None:
        """Make content and size durable.

        After a failure nobody knows what is on the disk, and a second try would claim success:
        write it elsewhere.

        Raises:
            OSError: The disk refused, or the path no longer names this file.
        """
        os.fdatasync(self._handle)
        # A file whose folder was deleted takes writes and syncs as before; nobody finds it again.
        here, there = os.fstat(self._handle), self.path.stat()
        if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
            raise FileNotFoundError(errno.ENOENT, "another file took this name", str(self.path))

    def close(self) -> None:
        os.close(self._handle)


def create_append(path: Path, data: bytes) -> AppendFile:
    """Begin a file with `data`, durably; it must not exist yet."""
    file = AppendFile(path, _create(path))
    try:
        file.append(data)
        file.sync_data()
        sync_folder(path.parent)
    except BaseException:
        file.close()
        _unlink(path)
        raise
    return file


def open_append(path: Path, size: int) -> AppendFile:
    """Go on with a file after its first `size` bytes; what lies beyond is cut off."""
    file = AppendFile(path, os.open(path, os.O_RDWR | os.O_CLOEXEC))
    file.size = size
    try:
        file.cut()
    except BaseException:
        file.close()
        raise
    return file


def rename(old: Path, new: Path) -> None:
    """Give a file its name for good, durably. The content must be durable already."""
    _rename(old, new)
    sync_folder(new.parent)


def remove(path: Path) -> None:
    """Take a file away, durably, if it is there."""
    _unlink(path)
    sync_folder(path.parent)


def remove_all(folder: Path, paths: Iterable[Path]) -> None:
    """Take files of one folder away, durably, those that are there."""
    for path in paths:
        _unlink(path)
    sync_folder(folder)


# Every change of a name, and nothing else: where crash tests stand.


def _create(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)


def _link(old: Path, new: Path) -> None:
    os.link(old, new)


def _rename(old: Path, new: Path) -> None:
    old.replace(new)


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


class Lock:
    """Held while its file is open; the kernel lets go when the process ends, however it ends."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle
        _locks.add(self)

    def stands_for(self, path: Path) -> bool:
        """Whether `path` still names what is held: not so once its folder was deleted."""
        if self._handle is None or not path.exists():
            return False
        return os.path.samestat(os.fstat(self._handle), path.stat())

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


_locks: weakref.WeakSet[Lock] = weakref.WeakSet()


def lock(path: Path) -> Lock | None:
    """Take the lock that `path`, a file or a folder, stands for, or None while someone holds it."""
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    handle = os.open(path, flags | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except BaseException:
        os.close(handle)
        raise
    return Lock(handle)


class LockView:
    """Looks whether somebody holds a lock; also after its file was deleted.

    Raises:
        FileNotFoundError: Nobody ever took it.
    """

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def held(self) -> bool:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._handle, fcntl.LOCK_UN)
        return False

    def close(self) -> None:
        os.close(self._handle)


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock that `path` stands for."""
    try:
        view = LockView(path)
    except FileNotFoundError:
        return False
    try:
        return view.held()
    finally:
        view.close()


def _forget_locks() -> None:
    for held in list(_locks):
        held.release()


# A forked worker inherits the open file, and would hold the lock beyond its parent's death.
os.register_at_fork(after_in_child=_forget_locks)
