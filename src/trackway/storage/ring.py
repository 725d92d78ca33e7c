"""The ring: recycled shared memory between training and the writer process.

    one row = one step of all environments             slots 0 .. capacity-1
    | qpos [num_envs, 19] | reward [num_envs] | pad |  row n lies in slot n % capacity

       slot:      0    1    2    3    4    5    6    7
       row:      16   17   18   11*  12   13   14   15
                           │    │
                     head ─┘    └ *the row being written now (19) overwrites row 11
       tail = 12: rows 12 .. 18 are committed and not yet durable in the journal

The trainer writes the row numbered `head` in place, then stores the row's sequence number
(`number + 1`), then the new head. The writer raises `tail` once rows are durable; the trainer
never writes a row whose slot is not yet free. So nobody waits, except when the ring is full.

A row counts when its sequence number says so: neither head nor a slot alone is believed. Stores
of a killed process stay in program order, as long as the machine runs; so a ring is believed
only within the boot that wrote it, and the journal stands for everything before.
"""

from __future__ import annotations

import dataclasses
import errno
import mmap
import os
import secrets
import struct
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from trackway import files
from trackway.errors import FormatError, RecordingError
from trackway.format.schema import Schema
from trackway.storage.limits import Limits
from trackway.storage.local import is_local

Array = npt.NDArray[Any]

MAGIC: Final = b"\x89TWRING\n"
_FIXED: Final = struct.Struct("<8sIII")  # magic, version, size of JSON, CRC of JSON
_VERSION: Final = 2
_PAGE: Final = 4096
SHARED_MEMORY: Final = Path("/dev/shm")
MINIMUM_SLOTS: Final = 8

# Words of the control page, each on a cache line of its own (8 words of 8 bytes).
HEAD: Final = 0  # trainer: rows committed
CLOSED: Final = 8  # trainer: 1 when no row will follow
WANTED: Final = 16  # trainer: rows that should be durable at once
WAITS: Final = 24  # trainer: times it waited for room
WAITED_NS: Final = 32  # trainer: how long, together
DISCARDED: Final = 40  # trainer: rows given up because nobody drained the ring
TAIL: Final = 48  # writer: rows that are durable (or lost and counted)
LOST: Final = 56  # writer: rows that the disk refused
FAILING: Final = 64  # writer: 1 while the disk refuses
TOLD: Final = 48  # writer: added to WAITS, WAITED_NS, DISCARDED, LOST: what the journal tells of
_MESSAGE: Final = 1024  # byte offset in the control page: why, UTF-8, ended by a zero byte


@dataclasses.dataclass(frozen=True)
class RingSpec:
    """What a ring holds, and how its stream is to be kept."""

    stream: str
    kind: str
    num_envs: int
    schema: Schema
    capacity: int
    segment_rows: int
    limits: Limits = dataclasses.field(default_factory=Limits)

    def to_json(self) -> dict[str, Any]:
        own = {"schema": self.schema.to_json(), "limits": vars(self.limits), "boot": boot_id()}
        return vars(self) | own

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> RingSpec:
        if told.pop("boot") != boot_id():
            raise FormatError("this ring was left by another machine or before it started anew")
        schema, limits = Schema.from_json(told["schema"]), Limits(**told["limits"])
        return cls(**(told | {"schema": schema, "limits": limits}))


def boot_id() -> str:
    """Names this run of this machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def capacity_for(schema: Schema, num_envs: int, ring_bytes: int) -> int:
    """Rows that a ring of about `ring_bytes` holds."""
    return max(MINIMUM_SLOTS, ring_bytes // _stride(schema, num_envs)[0])


class Ring:
    """A mapped ring.

    Attributes:
        spec: What it holds.
        columns: By field, `[capacity, num_envs, *shape]`; slot by slot, not row by row in order.
        packed: The same bytes, `[capacity, row bytes]`, uint8.
        bytes: The same memory, with `stride` bytes from one row to the next; `offsets` tells by
            field where each begins in a row.
        words: The control words; index with HEAD, TAIL and their like.
        sequence: By slot: number of the row it holds, plus one.
    """

    def __init__(self, path: Path, *, writable: bool) -> None:
        handle = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        try:
            size = os.fstat(handle).st_size
            self.spec, start = _read_header(handle, size)
            stride, offsets = _stride(self.spec.schema, self.spec.num_envs)
            capacity = self.spec.capacity
            if size < _file_size(start, capacity, stride):
                raise FormatError(f"the ring {path} is cut short")
            protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
            flags = mmap.MAP_SHARED
            if writable:  # populated: the first lap should not pay for page faults
                flags |= getattr(mmap, "MAP_POPULATE", 0)
            memory = mmap.mmap(handle, size, flags=flags, prot=protection)
        finally:
            os.close(handle)
        self.path, self._memory = path, memory
        self._message = memoryview(memory)[start + _MESSAGE : start + _PAGE]
        self.words = memoryview(memory)[start : start + _MESSAGE].cast("q")
        sequence_start = start + _PAGE
        self.sequence = memoryview(memory)[sequence_start : sequence_start + 8 * capacity].cast("q")
        self._sequence = np.frombuffer(memory, np.int64, capacity, sequence_start)
        rows_start = _rows_start(start, capacity)
        row_bytes = self.spec.schema.row_bytes(self.spec.num_envs)
        self.columns: dict[str, Array] = {
            field.name: np.ndarray(
                (capacity, self.spec.num_envs, *field.shape),
                field.dtype,
                memory,
                rows_start + offset,
                (
                    stride,
                    *np.empty((self.spec.num_envs, *field.shape), field.dtype).strides,
                ),
            )
            for field, offset in zip(self.spec.schema, offsets, strict=True)
        }
        self.stride = stride
        self.bytes = memoryview(memory)[rows_start : rows_start + capacity * stride]
        names = (field.name for field in self.spec.schema)
        self.offsets: dict[str, int] = dict(zip(names, offsets, strict=True))
        self.packed: Array = np.ndarray(
            (capacity, row_bytes), np.uint8, memory, rows_start, (stride, 1)
        )

    @property
    def head(self) -> int:
        """Rows committed, as the sequence numbers confirm."""
        head: int = self.words[HEAD]
        capacity = self.spec.capacity
        # A trainer killed between its two stores has committed the row all the same.
        return head + 1 if self.sequence[head % capacity] == head + 1 else head

    @property
    def tail(self) -> int:
        tail: int = self.words[TAIL]
        return tail

    def rows(self, first: int, count: int) -> list[Array]:
        """Columns of committed rows that lie side by side: no lap may end between them."""
        slot = first % self.spec.capacity
        expected = np.arange(first + 1, first + count + 1)
        if not np.array_equal(self._sequence[slot : slot + count], expected):
            raise FormatError(f"rows {first} to {first + count - 1} are not in the ring")
        return [column[slot : slot + count] for column in self.columns.values()]

    def run_length(self, first: int, limit: int) -> int:
        """How many of `limit` rows from `first` on lie side by side."""
        return min(limit, self.spec.capacity - first % self.spec.capacity)

    def snapshot(self, first: int, fields: Sequence[str]) -> tuple[int, list[Array]]:
        """Copies of these fields of committed rows from `first` on, or from the oldest left.

        For readers beside a living trainer: rows overwritten while they were copied are dropped.
        """
        capacity = self.spec.capacity
        head = self.head
        first = max(first, self._oldest(head), 0)
        slots = np.arange(first, max(first, head)) % capacity
        copies = [self.columns[name][slots] for name in fields]
        numbers = self._sequence[slots]
        valid = numbers == np.arange(first + 1, first + 1 + len(slots))
        valid &= np.arange(first, first + len(slots)) >= self._oldest(self.head)
        start = len(slots) - int(np.argmin(valid[::-1])) if not valid.all() else 0
        return first + start, [copy[start:] for copy in copies]

    def let_go(self) -> None:
        """No longer count as memory of this process what was read: it stays where it is, for others."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._memory.madvise(mmap.MADV_DONTNEED)

    def _oldest(self, head: int) -> int:
        """The first row whose slot is not being written.

        That of row head - capacity is, unless training waits because it is not durable yet.
        """
        oldest = head - self.spec.capacity
        return oldest if self.words[TAIL] <= oldest else oldest + 1

    def say(self, message: str) -> None:
        """Leave a message for the trainer."""
        text = message.encode()[: len(self._message) - 1] + b"\0"
        self._message[: len(text)] = text

    def said(self) -> str:
        return bytes(self._message).split(b"\0", 1)[0].decode(errors="replace")


def create_ring(path: Path, spec: RingSpec) -> Ring:
    """Make a ring file, all of its memory reserved.

    Raises:
        OSError: There is no room. (Without the reservation a full `/dev/shm` would kill the
            trainer with SIGBUS in the middle of a step.)
    """
    body = orjson.dumps(spec.to_json())
    start = -(-(_FIXED.size + len(body)) // _PAGE) * _PAGE
    stride, _ = _stride(spec.schema, spec.num_envs)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(handle, 0, _file_size(start, spec.capacity, stride))
        os.pwrite(handle, _FIXED.pack(MAGIC, _VERSION, len(body), zlib.crc32(body)) + body, 0)
    except BaseException:
        path.unlink()
        raise
    finally:
        os.close(handle)
    return Ring(path, writable=True)


def place_ring(spec: RingSpec, own: Path, shared_memory: Path = SHARED_MEMORY) -> Ring:
    """Make a ring in shared memory; where that is too small, in a file on a local disk.

    That is at `own` in the run, or in the folder for temporary files when the run lies on a
    network disk.

    Raises:
        RecordingError: None has room.
    """
    refused = []
    temporary = Path(tempfile.gettempdir())
    for folder in (shared_memory, own.parent, temporary):
        try:
            if folder != shared_memory and not is_local(folder):
                refused.append(f"{folder} lies on a network disk")
            elif folder == own.parent:
                return create_ring(own, spec)
            else:
                return _create_beside_others(folder, spec)
        except OSError as error:
            refused.append(f"{folder}: {error.strerror}")
    raise RecordingError(
        f"there is no room for the ring of stream {spec.stream!r} ({'; '.join(refused)}): "
        "give Recorder a smaller ring_bytes, or as shared_memory a folder on a local disk"
    )


def _create_beside_others(folder: Path, spec: RingSpec) -> Ring:
    """Make a ring in a folder that all users share."""
    free = os.statvfs(folder)
    stride, _ = _stride(spec.schema, spec.num_envs)
    # Half of what is free: the rest belongs to others, such as data loaders.
    if 2 * _file_size(_PAGE, spec.capacity, stride) >= free.f_bavail * free.f_frsize:
        raise OSError(errno.ENOSPC, "it would be more than half full")
    ours = folder / f"trackway-{os.getuid()}"
    ours.mkdir(mode=0o700, exist_ok=True)
    if ours.lstat().st_uid != os.getuid():
        raise PermissionError(errno.EPERM, f"{ours.name} belongs to somebody else")
    return create_ring(ours / f"{secrets.token_hex(8)}.ring", spec)


def publish_pointer(pointer: Path, ring: Ring) -> None:
    """Tell the writer and the readers where the ring lies."""
    files.publish(pointer, orjson.dumps({"ring": str(ring.path), "boot": boot_id()}))


def find_ring(pointer: Path, *, writable: bool = False) -> Ring | None:
    """The ring that belongs to a stream, or None: it is gone, or not to be believed."""
    try:
        told = orjson.loads(pointer.read_bytes())
        if told["boot"] != boot_id():
            return None
        return Ring(Path(told["ring"]), writable=writable)
    except (OSError, FormatError, orjson.JSONDecodeError, KeyError, TypeError):
        return None


def remove_ring(pointer: Path, ring: Ring) -> None:
    """Take away a ring whose rows are all durable."""
    ring.path.unlink(missing_ok=True)
    files.remove(pointer)


def _stride(schema: Schema, num_envs: int) -> tuple[int, list[int]]:
    """Bytes from one row to the next, and where each field begins in a row.

    Fields follow each other as in a frame of the journal: no padding, so that a row can be
    copied as one block.
    """
    offsets, offset = [], 0
    for field in schema:
        offsets.append(offset)
        offset += num_envs * field.value_bytes
    return -(-offset // 64) * 64, offsets


def _rows_start(start: int, capacity: int) -> int:
    return start + _PAGE + -(-8 * capacity // _PAGE) * _PAGE


def _file_size(start: int, capacity: int, stride: int) -> int:
    return _rows_start(start, capacity) + capacity * stride


def _read_header(handle: int, size: int) -> tuple[RingSpec, int]:
    fixed = os.pread(handle, _FIXED.size, 0)
    if len(fixed) < _FIXED.size or not fixed.startswith(MAGIC):
        raise FormatError("this is no ring")
    _, version, body_size, crc = _FIXED.unpack(fixed)
    body = os.pread(handle, min(body_size, size), _FIXED.size)
    if version != _VERSION or zlib.crc32(body) != crc:
        raise FormatError("this ring is damaged, or of another version")
    start = -(-(_FIXED.size + body_size) // _PAGE) * _PAGE
    return RingSpec.from_json(orjson.loads(body)), start
