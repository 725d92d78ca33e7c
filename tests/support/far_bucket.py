"""A bucket that is far away: a real server on this machine behind a line that delays."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tests.support.object_server import BUCKET, ObjectServer
from tests.support.proxy import Proxy


@contextlib.contextmanager
def far_bucket(folder: Path, delay_s: float) -> Iterator[str]:
    """A URL in such a bucket; this process and its children are told how to get there."""
    server = ObjectServer(folder)
    server.start()
    proxy = Proxy(server.port)
    proxy.delay_s = delay_s
    os.environ |= server.environment | {"AWS_ENDPOINT_URL": proxy.endpoint}
    try:
        yield f"s3://{BUCKET}/lab"
    finally:
        server.remove()
