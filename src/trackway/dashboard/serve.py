"""`trackway serve`: one process that reads, one address that is printed."""

from __future__ import annotations

import errno
import importlib.util
import ipaddress
import logging
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvicorn

from trackway.dashboard.app import make_app
from trackway.dashboard.guard import Access, Guard, hosts_for
from trackway.dashboard.heap import use_one_heap
from trackway.dashboard.live import Live
from trackway.dashboard.watch import Notify
from trackway.errors import DashboardError

DEFAULT_PORT: Final = 6070
TOKEN_VARIABLE: Final = "TRACKWAY_TOKEN"
_TRIES: Final = 20
_LEAST_TOKEN: Final = 16
_CONNECTIONS: Final = 256


@dataclass(frozen=True)
class ServeOptions:
    """How to serve.

    Attributes:
        models: The folder that holds the runs.
        host: The address to listen at.
        port: The port; None: the first free one from 6070 on.
        allowed_hosts: Further names under which the server may be addressed, as behind a proxy.
        token: What browsers must know.
        prefix: The path under which a reverse proxy shows the page.
        notify: Whom to tell of alerts.
        drive: `package.module:function` that may let policies drive episodes, run on this machine.
        lifeline: A file descriptor; the server ends when its other end is closed.
    """

    models: Path
    host: str = "127.0.0.1"
    port: int | None = None
    allowed_hosts: tuple[str, ...] = ()
    token: str | None = None
    prefix: str = ""
    notify: Notify = field(default_factory=Notify)
    drive: str | None = None
    lifeline: int | None = None


def serve(options: ServeOptions, say: Callable[[str], None]) -> None:
    """Serve until a signal comes.

    Args:
        options: How.
        say: Is told the address, once the server can be reached.

    Raises:
        DashboardError: It cannot be served so; the message says what would do.
    """
    check(options)
    use_one_heap()
    listener = _listen(options)
    port = listener.getsockname()[1]
    prefix = "/" + options.prefix.strip("/") if options.prefix.strip("/") else ""
    access = Access(hosts_for(options.host, options.allowed_hosts), options.token, prefix, port)
    app = make_app(options.models, access, notify=options.notify, drive=options.drive)
    config = uvicorn.Config(
        app,
        log_level=logging.WARNING,
        http="h11",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on who asks
        ws="none",
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config, app, lambda: say(address(options, port, prefix)))
    if options.lifeline is not None:
        ended = (server, options.lifeline)
        threading.Thread(target=_end_with_training, args=ended, daemon=True).start()
    with listener:
        server.run(sockets=[listener])


def check(options: ServeOptions) -> None:
    """Refuse what would show runs to whoever comes by.

    Raises:
        DashboardError: It would; or there is no such folder, or no such module to drive with.
    """
    if not options.models.is_dir():
        raise DashboardError(f"{options.models} is not a folder; runs are usually kept in: models")
    exposed = not _is_loopback(options.host) or bool(options.allowed_hosts)
    if exposed and not options.token:
        where = options.host if not _is_loopback(options.host) else options.allowed_hosts[0]
        raise DashboardError(
            f"others could reach {where}, so a token is needed: put one into {TOKEN_VARIABLE} "
            "(openssl rand -hex 16 makes one) or into a file for --token-file"
        )
    if options.token is not None and len(options.token) < _LEAST_TOKEN:
        raise DashboardError(f"a token needs {_LEAST_TOKEN} letters or more: openssl rand -hex 16")
    if options.drive is not None and not _is_there(options.drive):
        raise DashboardError(
            f"{options.drive!r} cannot be found here; such as go1.driving:drive, a function in a module"
        )


def _is_there(name: str) -> bool:
    """Whether `package.module:function` names a module; it is not loaded, robots need much memory."""
    module, _, function = name.partition(":")
    try:
        return bool(function) and importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def address(options: ServeOptions, port: int, prefix: str) -> str:
    """What to open in a browser; the token is in the fragment, which browsers send nobody."""
    host = options.host
    if host in {"0.0.0.0", "::"}:
        host = socket.gethostname()
    shown = f"[{host}]" if ":" in host else host
    token = f"#token={options.token}" if options.token else ""
    return f"http://{shown}:{port}{prefix}/{token}"


def read_token(file: Path | None) -> str | None:
    """The token, from a file or the environment; never from the command line, which all can see.

    Raises:
        DashboardError: The file cannot be read, or is empty.
    """
    if file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        token = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DashboardError(f"the token cannot be read: {error}") from error
    if not token:
        raise DashboardError(f"{file} is empty; openssl rand -hex 16 > {file} makes a token")
    return token


class _Server(uvicorn.Server):
    """Says its address once it listens; lets go of who listens to events when it ends."""

    def __init__(self, config: uvicorn.Config, app: Guard, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._app, self._ready = app, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        live: Live = self._app.app.state.live
        live.closing.set()
        await super().shutdown(sockets)


def _listen(options: ServeOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    first = DEFAULT_PORT if options.port is None else options.port
    tries = _TRIES if options.port is None else 1
    for port in range(first, first + tries):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((options.host, port))
            listener.listen(128)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE and port < first + tries - 1:
                continue
            raise DashboardError(
                f"port {port} of {options.host} cannot be used ({error.strerror or error}); "
                "give another with --port"
            ) from error
        return listener
    raise AssertionError("every try returns or raises")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _end_with_training(server: uvicorn.Server, lifeline: int) -> None:
    while os.read(lifeline, 4096):
        pass
    server.should_exit = True
