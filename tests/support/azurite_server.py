"""Azure Blob Storage as its maker emulates it, on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

_MAIN = Path(__file__).parent / "azurite/node_modules/azurite/dist/src/blob/main.js"
# Known to everybody: it opens emulators and nothing else.
ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
CONTAINER = "trackway"


class AzuriteServer:
    """The blob service, its data in `folder`."""

    installed = _MAIN.exists()

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(Path(sys.executable).with_name("node")), str(_MAIN)),
                    *("--blobHost", "127.0.0.1", "--blobPort", str(self._port)),
                    *("--location", str(folder), "--silent", "--skipApiVersionCheck"),
                    "--disableTelemetry",
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._make_container()

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to be told."""
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": _KEY,
            "AZURE_ENDPOINT": f"http://127.0.0.1:{self._port}/{ACCOUNT}",
            "AZURE_ALLOW_HTTP": "true",
        }

    def remove(self) -> None:
        # Node from PyPI is started by a program of its own: both have to go.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _make_container(self, seconds: float = 30.0) -> None:
        """Containers are made by a request of their own, signed as Azure wants it."""
        import base64
        import datetime as dt
        import hashlib
        import hmac
        import urllib.error
        import urllib.request

        deadline = time.monotonic() + seconds
        while True:
            now = dt.datetime.now(dt.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
            path = f"/{ACCOUNT}/{CONTAINER}"
            signed = (
                "PUT\n\n\n\n\n\n\n\n\n\n\n\n"
                f"x-ms-date:{now}\nx-ms-version:2021-12-02\n/{ACCOUNT}{path}\nrestype:container"
            )
            mac = hmac.new(base64.b64decode(_KEY), signed.encode(), hashlib.sha256).digest()
            request = urllib.request.Request(
                f"http://127.0.0.1:{self._port}{path}?restype=container",
                method="PUT",
                data=b"",
                headers={
                    "x-ms-date": now,
                    "x-ms-version": "2021-12-02",
                    "Content-Length": "0",
                    "Content-Type": "",
                    "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(mac).decode()}",
                },
            )
            try:
                with urllib.request.urlopen(request, timeout=5):
                    return
            except urllib.error.HTTPError:
                raise
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
