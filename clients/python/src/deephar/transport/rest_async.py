"""REST and WebSockets for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from deephar.address import Address
from deephar.errors import Closed
from deephar.frames import Flush, Frame
from deephar.options import PoseOptions, VideoOptions
from deephar.results import ActionsAnswer, Json, Model, PoseAnswer
from deephar.transport import AsyncStreamConnection, Connecting, Message
from deephar.transport import rest_calls as rest


class AsyncRestTransport:
    """A pool of connections to a service's REST."""

    def __init__(self, address: Address, connecting: Connecting) -> None:
        self._address, self._headers = address, rest.headers_of(connecting)
        self._tls = rest.verification(connecting) if address.is_encrypted else None
        self._http = httpx.AsyncClient(headers=self._headers, verify=self._tls or False)
        self._sockets: WeakSet[_Socket] = WeakSet()  # of running streams

    async def models(self, timeout_s: float) -> list[Model]:
        return rest.models_of(await self._answer(rest.models_question(), timeout_s))

    async def pose(self, picture: bytes, options: PoseOptions, timeout_s: float) -> PoseAnswer:
        return rest.pose_of(await self._answer(rest.pose_question(picture, options), timeout_s))

    async def classify(
        self, video: Path | AsyncIterator[Frame | Flush], options: VideoOptions, timeout_s: float
    ) -> ActionsAnswer:
        if isinstance(video, Path):
            return ActionsAnswer.from_dict(await self._answer(rest.file_question(video, options), timeout_s))
        until_s = time.monotonic() + timeout_s
        try:
            async with asyncio.timeout(timeout_s) as limit:
                clip = rest.FramesQuestion(options)
                async for item in video:
                    await asyncio.to_thread(clip.add, item)
        except TimeoutError:
            if not limit.expired():
                raise
            raise rest.late() from None
        return clip.answer(await self._answer(clip.question, max(rest.SHORTEST_S, until_s - time.monotonic())))

    async def stream(self, options: VideoOptions, connect_timeout_s: float) -> AsyncStreamConnection:
        if self._http.is_closed:
            raise Closed
        try:
            socket = await connect(**rest.socket_options(self._address, self._tls, self._headers, connect_timeout_s))
        except rest.NOT_OPENED as error:
            rest.refused(error, self._address)
        connection = _Socket(socket, self._address)
        self._sockets.add(connection)
        await connection.write(rest.config_text(options))
        return connection

    async def close(self) -> None:
        await self._http.aclose()
        for connection in list(self._sockets):
            await connection.close()

    async def _answer(self, question: rest.Question, timeout_s: float) -> Json:
        sent = rest.options_of(question, timeout_s)
        if question.file is not None:
            sent["content"] = async_chunks_of(question.file)
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._http.request(question.method, self._address.url + question.path, **sent)
        except TimeoutError:
            raise rest.late() from None
        except httpx.HTTPError as error:
            raise rest.failed(error, self._address) from error
        return rest.document_of(response, response.content)


class _Socket:
    """A WebSocket of `/v1/stream`."""

    def __init__(self, socket: ClientConnection, address: Address) -> None:
        self._socket, self._address = socket, address

    async def send(self, item: Frame | Flush) -> None:
        for message in rest.item_messages(item):
            await self.write(message)

    async def end(self) -> None:
        await self.write(rest.END)

    async def receive(self, timeout_s: float) -> Message | None:
        try:
            async with asyncio.timeout(timeout_s):
                text = await self._socket.recv()
        except ConnectionClosed as error:
            raise rest.closed(error, self._address) from error
        return rest.message_of(text)

    async def close(self) -> None:
        await self._socket.close()

    async def write(self, message: Any) -> None:
        """Writes a message, unless the socket is closed: whoever receives learns why."""
        with suppress(ConnectionClosed):
            await self._socket.send(message)


async def async_chunks_of(file: Path) -> AsyncIterator[bytes]:
    """Yields the bytes of a file, which is read in a thread."""
    chunks = iter(rest.chunks_of(file))
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk
