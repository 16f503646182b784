"""Answers that are sent while they are made."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Self

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.errors import DeepharError


class CutOff(Exception):
    """The rest of an answer that has begun cannot be made, or is not read."""


class StreamedAnswer(Response):
    """An answer in parts, of which the first is there. They are closed at the end, also when the caller leaves.

    An error after the first part cuts the connection: the caller sees that the answer is not whole.
    """

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes, None], media_type: str) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self._first, self._rest = first, rest

    @classmethod
    async def begun(cls, parts: AsyncGenerator[bytes, None], media_type: str) -> Self:
        """Returns the answer once its first part is there: an error before it still gets a status of its own."""
        return cls(await anext(parts), parts, media_type)

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        try:
            async with aclosing(self._rest):
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await send({"type": "http.response.body", "body": self._first, "more_body": True})
                async for part in self._rest:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except DeepharError as error:
            raise CutOff(str(error)) from error
