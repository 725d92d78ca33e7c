"""The built page, from memory, as its build compressed it."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from trackway.errors import DashboardError

BUILT: Final = Path(__file__).with_name("static")
_ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}
_FOREVER: Final = "public, max-age=31536000, immutable"


@dataclass
class _File:
    kind: str
    tag: str
    by_encoding: dict[str, bytes] = field(default_factory=dict)


class StaticFiles:
    """Every file of a folder, read once; a request chooses among them and never names a path."""

    def __init__(self, folder: Path = BUILT) -> None:
        """Read the folder.

        Raises:
            DashboardError: The page has not been built.
        """
        self._files: dict[str, _File] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in _ENCODINGS.values():
                name = path.relative_to(folder).as_posix()
                self._files[name] = self._load(path)
        if "index.html" not in self._files:
            raise DashboardError(
                f"the page has not been built ({folder} holds no index.html): run "
                "scripts/build-web in a checkout of Trackway, or install a released wheel"
            )

    @staticmethod
    def _load(path: Path) -> _File:
        plain = path.read_bytes()
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        found = _File(kind, f'"{hashlib.sha256(plain).hexdigest()[:20]}"', {"identity": plain})
        for encoding, suffix in _ENCODINGS.items():
            compressed = path.with_name(path.name + suffix)
            if compressed.is_file():
                found.by_encoding[encoding] = compressed.read_bytes()
        return found

    def answer(self, request: Request) -> Response:
        """The file, in the smallest form that the browser takes."""
        name = request.path_params.get("path") or "index.html"
        found = self._files.get(name)
        if found is None:
            return Response("not found", 404, media_type="text/plain")
        # Names of assets carry a hash of their content.
        lasting = _FOREVER if name.startswith("assets/") else "no-cache"
        headers = {"etag": found.tag, "cache-control": lasting, "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == found.tag:
            return Response(status_code=304, headers=headers)
        accepted = request.headers.get("accept-encoding", "")
        encoding = next((e for e in _ENCODINGS if e in accepted and e in found.by_encoding), None)
        if encoding:
            headers["content-encoding"] = encoding
        return Response(found.by_encoding[encoding or "identity"], 200, headers, found.kind)
