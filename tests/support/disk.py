"""Stands in the door of `trackway.files`, and tells every state that a power cut can leave.

Every operation is done for real and noted. A crash state is what a disk may hold after some
first operations: of names only those whose folder was synced, and any first part (or any at all, for
file systems that keep no order) of the changes since; of a file what was synced, and of what was written since any of its sectors, the others old,
zero or missing, at any length in between.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from trackway import files

SECTOR = 512


@dataclass
class _Inode:
    now: bytes = b""
    durable: bytes = b""


_Change = Callable[[dict[str, _Inode]], object]


@dataclass
class _Disk:
    """Which file has which name, now and after a power cut."""

    names: dict[str, _Inode] = field(default_factory=dict)
    durable_names: dict[str, _Inode] = field(default_factory=dict)
    pending: list[tuple[str, _Change]] = field(default_factory=list)

    def apply(self, operation: str, path: str, *given: Any) -> None:
        if operation == "create":
            self._change(path, _given(path, _Inode()))
        elif operation == "rename":
            self._change(path, _renamed(given[0], path, self.names[given[0]]))
        elif operation == "link":
            self._change(path, _given(path, self.names[given[0]]))
        elif operation == "remove":
            self._change(path, lambda names: names.pop(path, None))
        elif operation == "sync folder":
            # Of that folder alone: some file systems keep more, none has to.
            for folder, change in self.pending:
                if folder == path:
                    change(self.durable_names)
            self.pending = [(folder, change) for folder, change in self.pending if folder != path]
        elif path in self.names:
            inode = self.names[path]
            if operation == "write":
                offset, data = given
                inode.now = inode.now[:offset].ljust(offset, b"\0") + data
            elif operation == "cut":
                inode.now = inode.now[: given[0]]
            elif operation == "sync":
                inode.durable = inode.now

    def _change(self, path: str, change: _Change) -> None:
        change(self.names)
        self.pending.append((str(Path(path).parent), change))


def _given(path: str, inode: _Inode) -> _Change:
    return lambda names: names.update({path: inode})


def _renamed(old: str, new: str, inode: _Inode) -> _Change:
    def change(names: dict[str, _Inode]) -> None:
        names.pop(old, None)
        names[new] = inode

    return change


class RecordingDisk:
    """Notes what goes through the door.

    Args:
        patch: Undoes the notes' taking at the test's end.
        acknowledged: Asked at every operation: what has been promised so far.
        forget: Operations that are noted as not done: a fault to be found.
    """

    def __init__(
        self,
        patch: pytest.MonkeyPatch,
        acknowledged: Callable[[], int],
        forget: frozenset[str] = frozenset(),
    ) -> None:
        self.operations: list[tuple[int, str, str, tuple[Any, ...]]] = []
        self._acknowledged, self._forget = acknowledged, forget
        plain = files.AppendFile
        note = self._note

        class Noted(plain):  # type: ignore[misc, valid-type]
            def __init__(self, path: Path, handle: int) -> None:
                super().__init__(path, handle)
                if self.size == 0:
                    note("create", path)

            def append(self, data: bytes | memoryview) -> None:
                note("write", self.path, self.size, bytes(data))
                super().append(data)

            def cut(self) -> None:
                note("cut", self.path, self.size)
                super().cut()

            def sync_data(self) -> None:
                super().sync_data()
                note("sync", self.path)

        patch.setattr(files, "AppendFile", Noted)
        plain_link, plain_rename, plain_unlink = files._link, files._rename, files._unlink

        def noted_link(old: Path, new: Path) -> None:
            plain_link(old, new)
            note("link", new, str(old))

        def noted_rename(old: Path, new: Path) -> None:
            plain_rename(old, new)
            note("rename", new, str(old))

        def noted_unlink(path: Path) -> None:
            if path.exists():
                plain_unlink(path)
                note("remove", path)

        patch.setattr(files, "_link", noted_link)
        patch.setattr(files, "_rename", noted_rename)
        patch.setattr(files, "_unlink", noted_unlink)
        sync_folder = files.sync_folder

        def noted_sync_folder(path: Path) -> None:
            sync_folder(path)
            note("sync folder", path)

        patch.setattr(files, "sync_folder", noted_sync_folder)

    def _note(self, operation: str, path: Path, *given: Any) -> None:
        if operation not in self._forget:
            self.operations.append((self._acknowledged(), operation, str(path), given))

    def crash_states(
        self, samples: int, luck: random.Random
    ) -> Iterator[tuple[int, dict[str, bytes]]]:
        """What was acknowledged, and the files, after a power cut at every point."""
        disk = _Disk()
        for acknowledged, operation, path, given in self.operations:
            yield from _states(disk, acknowledged, samples, luck)
            disk.apply(operation, path, *given)
        yield from _states(disk, self._acknowledged(), samples, luck)


def _states(
    disk: _Disk, acknowledged: int, samples: int, luck: random.Random
) -> Iterator[tuple[int, dict[str, bytes]]]:
    yield acknowledged, {path: inode.durable for path, inode in disk.durable_names.items()}
    yield acknowledged, {path: inode.now for path, inode in disk.names.items()}
    for _ in range(samples):
        names = dict(disk.durable_names)
        some = disk.pending[: luck.randint(0, len(disk.pending))]
        if luck.random() < 0.3:  # a file system without an order among changes of names
            some = [change for change in disk.pending if luck.random() < 0.5]
        for _, change in some:
            change(names)
        yield acknowledged, {path: _torn(inode, luck) for path, inode in names.items()}


def _torn(inode: _Inode, luck: random.Random) -> bytes:
    old, new = inode.durable, inode.now
    if old == new or luck.random() < 0.2:
        return new
    shorter, longer = sorted((len(old), len(new)))
    size = luck.choice([len(old), len(new), luck.randint(shorter, longer)])
    torn = bytearray(old[:size].ljust(size, b"\0"))
    for start in range(0, size, SECTOR):
        end = min(start + SECTOR, size)
        if luck.random() < 0.5:
            torn[start:end] = new[start:end].ljust(end - start, b"\0")
        elif luck.random() < 0.2:  # another file's old block, where nothing of ours was durable
            for at in range(max(start, len(old)), end):
                torn[at] = luck.randrange(256)
    return bytes(torn)
