"""Bodies with `Content-Encoding: gzip` or `deflate`, inflated in pieces of bounded size as they are read."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from starlette.types import Message, Receive

from service.errors import InvalidArgument, PayloadTooLarge, UnsupportedMediaType, quoted

PIECE = 2**18  # bytes
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


def encoding_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Returns the encoding of a body, "gzip" or "deflate"; None where it has none.

    Raises:
        UnsupportedMediaType: It has another one, or several.
    """
    values = b",".join(value for name, value in headers if name == b"content-encoding").decode("latin-1")
    named = (part.strip().lower().removeprefix("x-") for part in values.split(","))
    encodings = [name for name in named if name not in ("", "identity")]
    if not encodings:
        return None
    if encodings in (["gzip"], ["deflate"]):
        return encodings[0]
    raise UnsupportedMediaType(
        f"Content-Encoding {quoted(', '.join(encodings))} is not taken; send the body plain, or with gzip or deflate"
    )


class Inflating:
    """An ASGI `receive` that inflates the body.

    Args:
        receive: Of the body as it is sent.
        encoding: "gzip" or "deflate".
        limit: Largest body in bytes, inflated.
    """

    def __init__(self, receive: Receive, encoding: str, limit: int) -> None:
        self._receive, self._encoding, self._left = receive, encoding, limit
        self._inflate = zlib.decompressobj(_GZIP if encoding == "gzip" else _ZLIB)
        self._pending = b""  # sent, not inflated yet
        self._has_begun = self._is_last = False

    async def __call__(self) -> Message:
        """Returns the next message, of at most `PIECE` bytes.

        Raises:
            InvalidArgument: The body is damaged, or ends too early.
            PayloadTooLarge: It is larger than the limit.
        """
        while True:
            if not self._pending:
                if self._is_last:
                    return self._end()
                message = await self._receive()
                if message["type"] != "http.request":
                    return message
                self._pending, self._is_last = message.get("body", b""), not message.get("more_body", False)
                if not self._pending:
                    continue
            body = self._inflated()
            self._left -= len(body)
            if self._left < 0:
                raise PayloadTooLarge("the request's body is too large when it is inflated; send a smaller file")
            if body:
                return {"type": "http.request", "body": body, "more_body": True}

    def _inflated(self) -> bytes:
        if self._inflate.eof:  # gzip files may follow each other; other rubbish after the end is left
            if self._encoding == "gzip" and self._pending.startswith(b"\x1f\x8b"):
                self._inflate = zlib.decompressobj(_GZIP)
            else:
                self._pending = b""
                return b""
        if self._encoding == "deflate" and not self._has_begun and self._pending[0] & 0x0F != 8:
            self._inflate = zlib.decompressobj(_RAW)  # without zlib's header, as some clients send it
        self._has_begun = True
        try:
            body = self._inflate.decompress(self._pending, PIECE)
        except zlib.error:
            raise self._damaged() from None
        self._pending = self._inflate.unconsumed_tail or self._inflate.unused_data
        return body

    def _end(self) -> Message:
        if not self._inflate.eof:
            raise self._damaged()
        return {"type": "http.request", "body": b"", "more_body": False}

    def _damaged(self) -> InvalidArgument:
        return InvalidArgument(
            f"the body is not {self._encoding}, as its Content-Encoding says, or not whole; send it whole, or no header"
        )
