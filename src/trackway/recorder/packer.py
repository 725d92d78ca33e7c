"""The packer: a child of the writer that puts the older JSON files of a folder into a zip.

    python -m trackway.recorder.packer FOLDER KEEP

It is the least important process of the machine and may be killed at any instant.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

from trackway.errors import FormatError
from trackway.recorder.child import become_writer, start_child
from trackway.storage.packs import pack


class Packing:
    """Starts a packer when a folder has twice as many files as are kept, one at a time."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._child: subprocess.Popen[bytes] | None = None
        # By folder, how many files may come before it is looked at again.
        self._room: dict[Path, int] = {}

    @property
    def busy(self) -> bool:
        """Whether a packer is at it."""
        return self._child is not None and self._child.poll() is None

    def added(self, folder: Path) -> None:
        """Tell of a new file there."""
        room = self._room[folder] = self._room.get(folder, 1) - 1
        if room > 0 or self.busy:
            return
        count = sum(1 for _ in folder.glob("*.json"))
        if count > 2 * self._keep:
            count = self._keep
            with contextlib.suppress(OSError):  # another time: the files are safe as they are
                self._child = start_child("trackway.recorder.packer", str(folder), str(self._keep))
        self._room[folder] = 2 * self._keep + 1 - count


def main(folder: Path, keep: int) -> int:
    become_writer(19)
    try:
        pack(folder, keep)
    except (OSError, FormatError) as error:
        sys.stderr.write(f"trackway: {folder} is not packed, all files are as they were: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
