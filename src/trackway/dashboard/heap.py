"""How a server that lives for days gets its memory."""

from __future__ import annotations

import contextlib
import ctypes
from typing import Final

# Of glibc's malloc.h.
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_LARGE_BYTES: Final = 128 << 10


def use_one_heap() -> None:
    """Let all threads share one heap, and large arrays go back to the system when they are let go.

    By itself glibc gives every thread a heap, each of which keeps what it needed once, and learns from
    the first large array that others like it may stay as well: while a run grew for twenty minutes, a
    server grew three times as fast as what it held. Elsewhere than with glibc nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
