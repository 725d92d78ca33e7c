"""A bucket that is far away: a real server on this machine behind a line that delays.

Server and line are processes of their own: a training that is measured beside them must not share its
interpreter with them.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.object_server import BUCKET, ObjectServer
from tests.support.proxy import Proxy


@contextlib.contextmanager
def far_bucket(folder: Path, delay_s: float) -> Iterator[str]:
    """A URL in such a bucket; this process and its children are told how to get there."""
    server = ObjectServer(folder)
    server.start()
    line = subprocess.Popen(
        [sys.executable, __file__, str(server.port), str(delay_s)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    try:
        assert line.stdout is not None
        os.environ |= server.environment | {"AWS_ENDPOINT_URL": line.stdout.readline().strip()}
        yield f"s3://{BUCKET}/lab"
    finally:
        line.kill()
        line.wait()
        server.remove()


def _delay(port: int, delay_s: float) -> None:
    proxy = Proxy(port)
    proxy.delay_s = delay_s
    sys.stdout.write(f"{proxy.endpoint}\n")
    sys.stdout.flush()
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    _delay(int(sys.argv[1]), float(sys.argv[2]))
