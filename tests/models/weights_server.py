"""A real HTTP server on loopback that publishes one file and can be as difficult as servers and networks are."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from models.weights.released import Released

HDF5 = b"\x89HDF\r\n\x1a\n"
BODY = HDF5 + bytes(i * i % 251 for i in range(200_000))
MD5 = hashlib.md5(BODY).hexdigest()


@dataclass
class WeightsServer:
    """What it does is set by its attributes, between and during downloads."""

    url: str = ""
    body: bytes = BODY
    etag: str | None = '"one"'
    last_modified: str | None = None
    content_type: str = "application/octet-stream"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    if_range: bool = True  # whether it heeds If-Range
    length: bool = True  # whether it says Content-Length; else the body is chunked
    breaks: list[int] = field(default_factory=list)  # for each answer to come: bytes of the file until it breaks off
    refusals: list[int] = field(default_factory=list)  # statuses before the first proper answer
    redirects: bool = False
    before_break: Callable[[], object] = lambda: None  # called while the connection still stands
    seen: list[Message] = field(default_factory=list)  # the headers of all requests for the file
    sent: list[int] = field(default_factory=list)  # bytes of the file in each answer

    @property
    def ranges_asked(self) -> list[str | None]:
        return [headers["Range"] for headers in self.seen]

    def released(self, md5: str | None = MD5) -> Released:
        return Released("mpii", "weights.h5", md5, "a test", f"{self.url}/weights.h5", "https://example.org/page")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    published: WeightsServer

    def do_GET(self) -> None:
        server = self.published
        if server.redirects and self.path == "/weights.h5":
            self._head(302, {"Location": "/elsewhere", "Content-Length": "0"})
            return
        server.seen.append(self.headers)
        if server.refusals:
            self._head(server.refusals.pop(0), {"Content-Length": "0", **server.headers})
            return
        start = self._start()
        if start > 0 and start >= len(server.body):
            self._head(416, {"Content-Range": f"bytes */{len(server.body)}", "Content-Length": "0"})
            return
        rest = server.body[start:]
        headers: dict[str, str | None] = {"Content-Type": server.content_type}
        headers |= {"ETag": server.etag, "Last-Modified": server.last_modified}
        headers["Content-Length" if server.length else "Transfer-Encoding"] = (
            str(len(rest)) if server.length else "chunked"
        )
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(server.body) - 1}/{len(server.body)}"
        self._head(206 if start else server.status, {**headers, **server.headers})
        self._body(rest)

    def _start(self) -> int:
        server, asked = self.published, re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers["If-Range"]
        changed = server.if_range and condition not in (None, server.etag, server.last_modified)
        return int(asked[1]) if asked and server.ranges and not changed else 0

    def _body(self, rest: bytes) -> None:
        server = self.published
        cut = server.breaks.pop(0) if server.breaks else None
        data = rest[:cut]
        server.sent.append(len(data))
        if data:  # an empty chunk would end the body properly
            self.wfile.write(data if server.length else b"%x\r\n%s\r\n" % (len(data), data))
        if cut is not None:
            server.before_break()
            self.close_connection = True
        elif not server.length:
            self.wfile.write(b"0\r\n\r\n")

    def _head(self, status: int, headers: dict[str, str | None]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def weights_server() -> Iterator[WeightsServer]:
    published = WeightsServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"published": published}))
    published.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield published
    finally:
        server.shutdown()
        server.server_close()
