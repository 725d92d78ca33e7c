"""A stand-in for a browser that shows the live page."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable


def listen(port: int, run: str, keys: Iterable[str]) -> socket.socket:
    """Ask the server on this machine for a run's events, and take what it sends, until closed."""
    link = socket.create_connection(("127.0.0.1", port))
    asked = f"GET /api/runs/{run}/live?keys={','.join(keys)}&x=timestep HTTP/1.1\r\n"
    link.sendall(f"{asked}Host: localhost\r\n\r\n".encode())

    def read() -> None:
        with contextlib.suppress(OSError):
            while link.recv(1 << 16):
                pass

    threading.Thread(target=read, daemon=True).start()
    return link
