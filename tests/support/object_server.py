"""A real S3 server on this machine, started and stopped by the tests, and killed in some."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

BUCKET = "trackway"
ACCESS, SECRET = "tester", "tester-secret"


class ObjectServer:
    """SeaweedFS in one process; its data lie in `folder` and outlive a kill.

    With `open_to_all` whoever names no account may do anything; who names one must be it.
    """

    def __init__(self, folder: Path, *, open_to_all: bool = False) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._ports = _free_ports(9)
        self._process: subprocess.Popen[bytes] | None = None
        everything = ["Admin", "Read", "Write", "List", "Tagging"]
        credentials = [{"accessKey": ACCESS, "secretKey": SECRET}]
        identities: list[dict[str, object]] = [
            {"name": ACCESS, "credentials": credentials, "actions": everything}
        ]
        if open_to_all:
            identities.append({"name": "anonymous", "actions": everything})
        (folder / "s3.json").write_text(json.dumps({"identities": identities}))

    @property
    def port(self) -> int:
        return self._ports[0]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to be told."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }

    def start(self) -> None:
        s3, master, filer, volume, *grpc = self._ports
        weed = Path(sys.executable).with_name("weed")
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(weed),
                    "mini",
                    f"-dir={self._folder / 'data'}",
                    "-ip=127.0.0.1",
                    "-ip.bind=127.0.0.1",
                    f"-s3.port={s3}",
                    f"-s3.port.grpc={grpc[0]}",
                    "-s3.port.iceberg=0",
                    "-s3.port.lance=0",
                    f"-s3.config={self._folder / 's3.json'}",
                    f"-bucket={BUCKET}",
                    f"-master.port={master}",
                    f"-master.port.grpc={grpc[1]}",
                    f"-filer.port={filer}",
                    f"-filer.port.grpc={grpc[2]}",
                    f"-volume.port={volume}",
                    f"-volume.port.grpc={grpc[3]}",
                    "-master.telemetry=false",
                    "-webdav=false",
                    "-admin.ui=false",
                ],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
            )
        self._await()

    def kill(self) -> None:
        """As a power switch does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _await(self, seconds: float = 60.0) -> None:
        """Until it takes and gives an object."""
        import obstore

        store = obstore.store.S3Store(
            BUCKET,
            endpoint=self.endpoint,
            access_key_id=ACCESS,
            secret_access_key=SECRET,
            region="us-east-1",
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )
        deadline = time.monotonic() + seconds
        while True:
            try:
                obstore.put(store, "ready/now", b"yes")
                return
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for bound in sockets:
            bound.bind(("127.0.0.1", 0))
        return [bound.getsockname()[1] for bound in sockets]
