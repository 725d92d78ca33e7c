"""A dashboard that really listens, and a client that sends whatever a test wants sent."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import uvicorn

from trackway.dashboard.app import make_app
from trackway.dashboard.guard import Access
from trackway.dashboard.static import StaticFiles


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Site:
    """Where the dashboard listens."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def get(self, path: str, method: str = "GET", **headers: str) -> Reply:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        response = connection.getresponse()
        reply = Reply(
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read(),
        )
        connection.close()
        return reply

    def raw(self, data: bytes, timeout_s: float = 10.0) -> bytes:
        """Send these bytes; what comes back until the server closes or falls silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as link:
            link.sendall(data)
            answer = b""
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                while chunk := link.recv(65536):
                    answer += chunk
            return answer


def built_page(folder: Path) -> StaticFiles:
    """A page that stands in for the built one, which a test of the server does not need."""
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Trackway</title>")
    (folder / "assets" / "index-0.js").write_text("export {}")
    (folder / "assets" / "index-0.js.br").write_bytes(b"compressed")
    return StaticFiles(folder)


@contextlib.contextmanager
def serving(
    models: Path, page: StaticFiles, access: Access | None = None, drive: str | None = None
) -> Iterator[Site]:
    """The dashboard of these runs, in a thread of this process."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        config = uvicorn.Config(
            make_app(models, access, page, drive=drive),
            log_level="critical",
            http="h11",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        try:
            yield Site(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(20)
