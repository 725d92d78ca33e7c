"""Stands in the door of `trackway.files`, and tells every state that a power cut can leave.

Every operation is done for real and noted. A crash state is what a disk may hold after some
first operations: of names only those whose folder was synced, and any first part of the changes
since; of a file what was synced, and of what was written since any of its sectors, the others old,
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


@dataclass
class _Disk:
    """Which file has which name, now and after a power cut."""

    names: dict[str, _Inode] = field(default_factory=dict)
    durable_names: dict[str, _Inode] = field(default_factory=dict)
    pending: list[Callable[[dict[str, _Inode]], None]] = field(default_factory=list)

    def apply(self, operation: str, path: str, *given: Any) -> None:
        if operation == "create":
            inode = self.names[path] = _Inode()
            self.pending.append(lambda names: names.update({path: inode}))
        elif operation == "rename":
            (old,) = given
            inode = self.names[path] = self.names.pop(old)
            self.pending.append(lambda names: _rename(names, old, path, inode))
        elif operation == "remove":
            self.names.pop(path)
            self.pending.append(lambda names: names.pop(path, None))
        elif operation == "sync folder":
            self.durable_names, self.pending = dict(self.names), []
        elif path in self.names:
            inode = self.names[path]
            if operation == "write":
                offset, data = given
                inode.now = inode.now[:offset].ljust(offset, b"\0") + data
            elif operation == "cut":
                inode.now = inode.now[: given[0]]
            elif operation == "sync":
                inode.durable = inode.now


def _rename(names: dict[str, _Inode], old: str, new: str, inode: _Inode) -> None:
    names.pop(old, None)
    names[new] = inode


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
        for name, operation in (("rename", "rename"), ("remove", "remove")):
            patch.setattr(files, name, self._noting(operation, getattr(files, name)))
        sync_folder = files.sync_folder

        def noted_sync_folder(path: Path) -> None:
            sync_folder(path)
            note("sync folder", path)

        patch.setattr(files, "sync_folder", noted_sync_folder)

    def _noting(self, operation: str, plain: Callable[..., None]) -> Callable[..., None]:
        def noted(path: Path, *rest: Path) -> None:
            if operation == "rename":
                self._note(operation, rest[0], str(path))
            else:
                self._note(operation, path)
            plain(path, *rest)

        return noted

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
        for change in disk.pending[: luck.randint(0, len(disk.pending))]:
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
