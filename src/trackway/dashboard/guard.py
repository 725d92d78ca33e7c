"""Who may ask: stands before every answer of the dashboard.

A web page of anyone's can send requests to a server on this machine, and can make its own name
resolve to this machine. So a request must name a host that we serve; it can change nothing, for
there is nothing but GET; and where others can reach the server, it must know the token.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from trackway.dashboard.answers import Answer, problem

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
SESSION_PATH: Final = "/api/session"
_COOKIE_AGE_S: Final = 30 * 24 * 3600
_MAX_ADDRESS: Final = 8192
_MAX_HEADERS: Final = 32768

_HEADERS: Final = {
    # uPlot and Preact set styles through the DOM, which 'self' allows; nothing is inline.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


@dataclass(frozen=True)
class Access:
    """Who may ask.

    Attributes:
        hosts: Names under which the server may be addressed, without a port.
        token: What a browser must know; None: everybody on this machine may look.
        prefix: The path under which a reverse proxy shows the page, such as `/trackway`.
        port: Of the server; browsers share cookies between the ports of a host.
    """

    hosts: frozenset[str] = LOOPBACK
    token: str | None = None
    prefix: str = ""
    port: int = 0
    cookie: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cookie", f"trackway_{self.port}")

    def admits(self, host: str) -> bool:
        return _without_port(host).lower() in self.hosts

    def secret(self) -> str:
        """What the cookie holds: made from the token, and of no use for anything else."""
        return hmac.new(
            (self.token or "").encode(), b"trackway session", hashlib.sha256
        ).hexdigest()

    def knows_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), (self.token or "").encode())

    def has_session(self, cookies: str) -> bool:
        given = cookie_parser(cookies).get(self.cookie, "")
        return hmac.compare_digest(given.encode(), self.secret().encode())


class Guard:
    """Refuses what may not be asked, and adds the headers that every answer carries.

    Attributes:
        app: What stands behind it.
    """

    def __init__(self, app: Starlette, access: Access) -> None:
        self.app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # a WebSocket: there are none
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        answer = self._judge(scope) or self.app
        await answer(scope, receive, send_with_headers)

    def _judge(self, scope: Scope) -> Response | None:
        """The answer to a request that must not reach the app, or None."""
        headers, access = Headers(scope=scope), self._access
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _MAX_HEADERS:
            return problem(431, "these headers are too large")
        if len(headers.getlist("host")) != 1 or not access.admits(headers["host"]):
            return problem(421, "this server does not answer for that host; see --allow-host")
        if scope["method"] not in {"GET", "HEAD"}:
            return problem(405, "there is nothing here but GET", {"allow": "GET, HEAD"})
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > _MAX_ADDRESS:
            return problem(414, "this address is too long")
        path = scope["path"].removeprefix(access.prefix)
        if path == SESSION_PATH:
            return self._session(headers)
        if path.startswith("/api/") and not self._authorised(headers):
            return problem(401, "open the whole address that the server printed, with its token")
        return None

    def _authorised(self, headers: Headers) -> bool:
        if self._access.token is None or self._access.has_session(headers.get("cookie", "")):
            return True
        return self._knows_token(headers)

    def _knows_token(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._access.knows_token(given)

    def _session(self, headers: Headers) -> Response:
        """The token, for a cookie that no script can read and no other site can send."""
        access = self._access
        if access.token is not None and not self._knows_token(headers):
            return problem(401, "this is not the token")
        answer = Answer({})
        if access.token is not None:
            answer.set_cookie(
                access.cookie,
                access.secret(),
                max_age=_COOKIE_AGE_S,
                path=access.prefix or "/",
                httponly=True,
                samesite="strict",
                # Behind a proxy only the proxy knows; a wrong claim can but lock its sender out.
                secure=headers.get("x-forwarded-proto") == "https",
            )
        return answer


def hosts_for(bound: str, allowed: Iterable[str]) -> frozenset[str]:
    """Names under which a server bound to `bound` may be addressed."""
    return LOOPBACK | {bound.lower()} | {host.lower() for host in allowed}


def _without_port(host: str) -> str:
    if host.startswith("["):  # [::1]:6070
        return host[1:].partition("]")[0]
    return host.rsplit(":", 1)[0] if host.count(":") == 1 else host
