"""An S3 that does no work: it answers as one does, and keeps the beginning of each object only.

A server that stores what it gets takes as much of the processor as the training it is measured beside;
a real one is on another machine. What is left here is taking bytes from a socket. A process of its
own, since the benchmark's interpreter is the training's.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, unquote, urlsplit

_KEPT_BYTES = 1 << 16
_HEAD = b"\r\n\r\n"


@contextlib.contextmanager
def nowhere(delay_s: float) -> Iterator[str]:
    """A URL in it; this process and its children are told how to get there."""
    server = subprocess.Popen(
        [sys.executable, __file__, str(delay_s)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        os.environ |= {
            "AWS_ENDPOINT_URL": server.stdout.readline().strip(),
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_REGION": "us-east-1",
        }
        yield "s3://nowhere/lab"
    finally:
        server.kill()
        server.wait()


class _Objects:
    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._kept: dict[str, tuple[bytes, int]] = {}

    def serve(self, connection: socket.socket) -> None:
        """Answer one client until it goes."""
        room, data = bytearray(1 << 20), b""
        with contextlib.suppress(OSError), connection:
            while True:
                while _HEAD not in data:
                    if not (more := connection.recv(1 << 16)):
                        return
                    data += more
                head, _, data = data.partition(_HEAD)
                line, *lines = head.decode().split("\r\n")
                told = {k.lower(): v for k, _, v in (text.partition(": ") for text in lines)}
                size = int(told.get("content-length", 0))
                body, data = data[:size], data[size:]
                left = size - len(body)
                while left:
                    count = connection.recv_into(room, min(left, len(room)))
                    if len(body) < _KEPT_BYTES:
                        body += room[:count]
                    left -= count
                time.sleep(self._delay_s)
                connection.sendall(self._answer(line, told, body[:_KEPT_BYTES], size))

    def _answer(self, line: str, told: dict[str, str], body: bytes, size: int) -> bytes:
        method, target, _ = line.split(" ")
        place = urlsplit(target)
        _, _, key = unquote(place.path).lstrip("/").partition("/")
        if method == "PUT":
            if told.get("if-none-match") == "*" and key in self._kept:
                return _said("412 Precondition Failed")
            self._kept[key] = body, size
            return _said("200 OK", ETag='"none"')
        if method == "GET" and not key:
            return _said("200 OK", self._listing(parse_qs(place.query)))
        if method == "GET":
            if key not in self._kept:
                return _said("404 Not Found")
            kept, whole = self._kept[key]
            begin, _, end = told.get("range", "bytes=0-").partition("=")[2].partition("-")
            part = kept[int(begin) : int(end) + 1 if end else None]
            facts = {"ETag": '"none"', "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT"}
            if "range" not in told:
                return _said("200 OK", part, **facts)
            last = int(begin) + len(part) - 1
            facts["Content-Range"] = f"bytes {begin}-{last}/{whole}"
            return _said("206 Partial Content", part, **facts)
        gone = re.findall(r"<Key>(.*?)</Key>", body.decode())  # POST ?delete
        for name in gone:
            self._kept.pop(name, None)
        told_of = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in gone)
        return _said("200 OK", f"<DeleteResult>{told_of}</DeleteResult>".encode())

    def _listing(self, query: dict[str, list[str]]) -> bytes:
        prefix = query.get("prefix", [""])[0]
        found = sorted(key for key in self._kept if key.startswith(prefix))
        items = "".join(
            f"<Contents><Key>{key}</Key><Size>{self._kept[key][1]}</Size>"
            "<LastModified>2025-01-01T00:00:00Z</LastModified></Contents>"
            for key in found
        )
        return (
            f"<ListBucketResult><IsTruncated>false</IsTruncated>{items}</ListBucketResult>".encode()
        )


def _said(status: str, body: bytes = b"", **facts: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in facts.items())]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + _HEAD + body


def _main(delay_s: float) -> None:
    objects = _Objects(delay_s)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=objects.serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    _main(float(sys.argv[1]))
