"""Stands between client and server, and does to the line whatever a test asks for."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time

_ANSWERS = {
    "unavailable": b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "forbidden": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
}


class Proxy:
    """Forwards TCP.

    Attributes:
        target: The server's port.
        fault: None: forwards. `refused`: closes at once. `blackhole`: takes everything, answers
            nothing. `cut`: closes in the middle of what is sent. `lost answers`: sends everything
            on and closes before the answer. `slow`: `bytes_per_s`. `twice`: sends a request once
            more when it was answered, and gives the second answer. `unavailable`, `forbidden`:
            answers so itself.
        bytes_per_s: Of a slow line, from the client to the server.
        delay_s: Added to every answer.
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.fault: str | None = None
        self.bytes_per_s = 20e3
        self.delay_s = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def translated(self, request: bytes) -> bytes:
        """What the server is told of what the client said; a piece of it, a request's head whole."""
        return request

    def close(self) -> None:
        self._listener.close()
        for connection in list(self._open):
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as stack:
            stack.enter_context(client)
            server: socket.socket | None = None
            request = b""
            while True:
                watched = [client, *([server] if server else [])]
                ready, _, _ = select.select(watched, [], [], 0.1)
                if self.fault == "refused":
                    return
                if client in ready:
                    data = self.translated(client.recv(1 << 16))
                    if not data:
                        return
                    if self.fault in _ANSWERS:
                        client.sendall(_ANSWERS[self.fault])
                        return
                    if self.fault == "blackhole":
                        continue
                    if server is None:
                        server = stack.enter_context(
                            socket.create_connection(("127.0.0.1", self.target))
                        )
                    request += data
                    if self.fault == "slow":
                        time.sleep(len(data) / self.bytes_per_s)
                    if self.fault == "cut":
                        server.sendall(data[: len(data) // 2])
                        return
                    server.sendall(data)
                if server is not None and server in ready:
                    data = server.recv(1 << 16)
                    if not data or self.fault == "lost answers":
                        return
                    if self.fault == "twice" and request:
                        server = stack.enter_context(
                            socket.create_connection(("127.0.0.1", self.target))
                        )
                        server.sendall(request)
                        request = b""
                        continue
                    if request and self.delay_s:  # not each piece of a long answer
                        time.sleep(self.delay_s)
                    request = b""
                    client.sendall(data)
        self._open.discard(client)
