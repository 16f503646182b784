"""The opening of a WebSocket: nothing of its messages is read before the application has taken it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import Receive, Scope, Send

from service.rest.connection import connections
from service.rest.websocket_connection import WebSocketConnection
from service.serving import RestServer
from service.settings import Settings

OPENING = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
LENGTH = 32 * 2**20
MESSAGE = b"\x82\xff" + LENGTH.to_bytes(8, "big") + bytes(4) + bytes(LENGTH)
PATIENCE_S = 10.0


@asynccontextmanager
async def served(taking: asyncio.Event, taken: asyncio.Future[int]) -> AsyncIterator[int]:
    """Serves WebSockets that are taken when the event is set; yields the port."""

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await taking.wait()
        await receive()
        await send({"type": "websocket.accept"})
        taken.set_result(len((await receive())["bytes"]))

    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=connections(Settings()),  # type: ignore[arg-type] # a class or what makes its instances
        ws=WebSocketConnection,
        ws_max_size=2 * LENGTH,
        lifespan="off",
        log_config=None,
    )
    server = RestServer(config)
    serving = asyncio.create_task(server.serve([listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await serving


def test_a_message_waits_until_the_opening_is_taken() -> None:
    async def run() -> None:
        taking, taken = asyncio.Event(), asyncio.get_running_loop().create_future()
        async with served(taking, taken) as port, asyncio.timeout(PATIENCE_S):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(OPENING)
            await asyncio.sleep(0.2)  # what comes together with the opening is dropped
            writer.write(MESSAGE)
            await asyncio.sleep(1)
            assert writer.transport.get_write_buffer_size() > LENGTH / 2
            taking.set()
            assert await taken == LENGTH
            writer.close()

    asyncio.run(run())
