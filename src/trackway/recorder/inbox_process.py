"""The writer as the trainer has it: a child process, a pipe to it, and a thread that hears its reports."""

from __future__ import annotations

import marshal
import os
import socket
import threading
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection, Pipe
from typing import Any

from trackway.format.message import bundle
from trackway.recorder.child import start_child


class InboxProcess:
    """One life of the writer process, and the thread that listens to it.

    Args:
        module: Run as the writer (`python -m module`).
        on_report: Gets each of its reports, on the thread that listens.
        on_death: Called there once it is gone.

    Attributes:
        process: The child.
        gone: Whether it has died, or hung up.

    Raises:
        OSError: It could not be started.
    """

    def __init__(
        self,
        module: str,
        on_report: Callable[[dict[str, Any]], None],
        on_death: Callable[[], None],
    ) -> None:
        self._connection, theirs = Pipe()
        try:
            self.process = start_child(module, str(theirs.fileno()), pass_fds=[theirs.fileno()])
        except OSError:
            self._connection.close()
            raise
        finally:
            theirs.close()
        self.gone = False
        self._on_report, self._on_death = on_report, on_death
        threading.Thread(target=self._listen, name="trackway-listener", daemon=True).start()

    def send(self, messages: Iterable[bytes]) -> None:
        """Send them in one trip; when they arrived is for its reports to say."""
        try:
            self._connection.send_bytes(bundle(messages))
        except OSError:
            self.gone = True

    def hang_up(self) -> None:
        """Say that nothing more comes: the writer finishes and ends."""
        _shut(self._connection)

    def _listen(self) -> None:
        try:
            while True:
                self._on_report(marshal.loads(self._connection.recv_bytes()))
        except (EOFError, OSError):
            self.gone = True
            self._on_death()


def _shut(connection: Connection) -> None:
    # Closing a descriptor does not wake a thread that reads it; a shutdown does.
    duplicate = socket.socket(fileno=os.dup(connection.fileno()))
    try:
        duplicate.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    finally:
        duplicate.close()
