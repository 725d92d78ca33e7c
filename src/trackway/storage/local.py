"""Whether a folder lies on a disk of this machine, where shared memory may be mapped from a file.

On a network disk a mapped page is somebody else's: a server that goes away kills the process that
touches it (SIGBUS), another machine's cache does not see a store, and a step waits for the network.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

MOUNTS: Final = Path("/proc/self/mounts")
# What is not named here (nfs, cifs, 9p, fuse.sshfs, lustre ...) is taken for a network disk.
_LOCAL: Final = frozenset(
    {"tmpfs", "ramfs", "overlay", "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs"}
    | {"bcachefs", "jfs", "vfat", "exfat", "ntfs3"}
)
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


def is_local(folder: Path, mounts: Path = MOUNTS) -> bool:
    """Whether the file system that holds `folder`, or will, is one of this machine."""
    try:
        text = mounts.read_text(errors="surrogateescape")
        real = folder.resolve()
    except OSError:
        return False
    kinds: dict[Path, str] = {}
    for line in text.splitlines():
        _, point, kind, *_ = line.split(" ")
        # A later mount on the same point covers an earlier one.
        kinds[Path(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), point))] = kind
    return next((kinds[p] in _LOCAL for p in (real, *real.parents) if p in kinds), False)
