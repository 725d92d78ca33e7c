"""Google Cloud Storage's dialect, spoken by a real S3 server.

No emulator that a package registry has speaks the XML API that `obstore` uses: they know objects by
another API, without listings or conditions. The XML API is S3's but for two headers, so a real
server stands behind, and the two are put into its words on the way. Deleting what is gone is an
error at Google's.
"""

from __future__ import annotations

import http.client
import json
import re
from pathlib import Path

from tests.support.proxy import Proxy

# That of nobody, since no account is asked: S3 takes it for a wrong one.
_BEARER = re.compile(rb"\r\nauthorization: Bearer [^\r]*", re.IGNORECASE)
_CONDITION = re.compile(rb"\r\nx-goog-if-generation-match: 0\r\n", re.IGNORECASE)


class GoogleFront(Proxy):
    """Between Google's client and a server that is open to all.

    Attributes:
        keeps_conditions: Otherwise it passes on a header that the server ignores without a word.
    """

    def __init__(self, port: int, folder: Path) -> None:
        super().__init__(port)
        self.keeps_conditions = True
        self._account = folder / "account.json"
        told = {"gcs_base_url": self.endpoint, "disable_oauth": True}
        nobody = dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
        self._account.write_text(json.dumps(told | nobody))

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to be told."""
        return {"GOOGLE_SERVICE_ACCOUNT": str(self._account)}

    def translated(self, request: bytes) -> bytes:
        request = _BEARER.sub(b"", request)
        if request.startswith(b"DELETE ") and not self._is_there(request.split(b" ")[1]):
            request = b"GET" + request.removeprefix(b"DELETE")  # which S3 answers with 404
        if not self.keeps_conditions:
            return request
        return _CONDITION.sub(b"\r\nIf-None-Match: *\r\n", request)

    def _is_there(self, path: bytes) -> bool:
        server = http.client.HTTPConnection("127.0.0.1", self.target)
        server.request("HEAD", path.decode())
        status = server.getresponse().status
        server.close()
        return status == 200
