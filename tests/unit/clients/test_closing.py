"""A client that is closed while the service says nothing, or while it waits to ask again; and who closes it how."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from deephar import AsyncClient, Client, Frame
from deephar.errors import Closed
from deephar.v1 import inference_pb2_grpc as pb_grpc

from tests.http_serving import serving_http

SOON_S = 3.0
PICTURE = np.zeros((8, 8, 3), np.uint8)


class Silent(pb_grpc.InferenceServiceServicer):
    """Takes every call and answers none."""

    def __init__(self) -> None:
        self.ends = threading.Event()

    def ListModels(self, request: object, context: object) -> None:  # noqa: N802
        self.ends.wait()

    EstimatePose = ClassifyClip = ListModels

    def StreamVideo(self, request_iterator: object, context: object) -> Iterator[object]:  # noqa: N802
        self.ends.wait()
        yield from ()


@pytest.fixture
def silent_grpc() -> Iterator[str]:
    service, server = Silent(), grpc.server(ThreadPoolExecutor(4))
    pb_grpc.add_InferenceServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    service.ends.set()
    server.stop(0).wait()


@pytest.fixture
def silent_rest() -> Iterator[str]:
    """A service that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        taking = threading.Thread(target=take)
        taking.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        taking.join()
        for connection in taken:
            connection.close()


@pytest.fixture(params=["grpc", "rest"])
def silent(request: pytest.FixtureRequest) -> str:
    """The address of a service that says nothing."""
    address: str = request.getfixturevalue(f"silent_{request.param}")
    return address


@pytest.fixture
def overloaded() -> Iterator[str]:
    """The address of a service that asks for ten seconds."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"code": "overloaded", "detail": "try again"}'
            self.send_response(429)
            self.send_header("Retry-After", "10")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with serving_http(Answer) as url:
        yield url


def one_frame() -> Iterator[Frame]:
    yield Frame(PICTURE, 0.0, 0)


def classified_file(client: Client) -> None:
    client.classify(Path(__file__))


CALLS: list[Callable[[Client], Any]] = [
    Client.models,
    lambda client: client.pose(PICTURE),
    lambda client: client.classify(one_frame()),
    lambda client: list(client.stream(one_frame())),
]


def ended_after(client: Client, call: Callable[[Client], Any]) -> float:
    """Closes a client in the midst of a call; returns after how long that ended."""
    ends: list[float] = []

    def run() -> None:
        with pytest.raises(Closed):
            call(client)
        ends.append(time.monotonic())

    running = threading.Thread(target=run)
    running.start()
    running.join(0.3)
    assert not ends
    began = time.monotonic()
    client.close()
    running.join(20)
    return ends[0] - began


@pytest.mark.parametrize("call", CALLS, ids=["models", "pose", "clip", "stream"])
def test_a_service_that_says_nothing_holds_nobody(silent: str, call: Callable[[Client], Any]) -> None:
    assert ended_after(Client(silent, timeout_s=10), call) < SOON_S


def test_a_file_that_is_sent_to_such_a_service(silent_rest: str) -> None:
    assert ended_after(Client(silent_rest, timeout_s=10), classified_file) < SOON_S


def test_who_waits_to_ask_again_is_told(overloaded: str) -> None:
    assert ended_after(Client(overloaded), Client.models) < SOON_S

    async def run() -> None:
        client = AsyncClient(overloaded)
        asking = asyncio.create_task(client.models())
        await asyncio.sleep(0.3)
        await client.close()
        with pytest.raises(Closed):
            await asyncio.wait_for(asking, SOON_S)

    asyncio.run(run())


def test_several_threads_may_close_it(silent: str) -> None:
    for _ in range(30):
        client = Client(silent)
        errors: list[Exception] = []

        def close(client: Client = client, errors: list[Exception] = errors) -> None:
            try:
                client.close()
            except Exception as error:
                errors.append(error)

        closing = [threading.Thread(target=close) for _ in range(4)]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()
        assert not errors


def test_the_video_itself_may_close_it(silent: str) -> None:
    async def run() -> None:
        client = AsyncClient(silent)

        async def frames() -> AsyncIterator[Frame]:
            yield Frame(PICTURE, 0.0, 0)
            await client.close()
            yield Frame(PICTURE, 0.04, 1)

        with pytest.raises(Closed):
            await asyncio.wait_for(client.classify(frames()), SOON_S)
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            assert not (await asyncio.wait(others, timeout=SOON_S))[1]

    asyncio.run(run())


def test_a_call_that_has_not_begun(silent: str) -> None:
    async def run(turns: int) -> None:
        client = AsyncClient(silent)
        asking = [asyncio.create_task(client.models()), asyncio.create_task(client.classify(one_frame()))]
        for _ in range(turns):
            await asyncio.sleep(0)
        await client.close()
        for end in await asyncio.gather(*asking, return_exceptions=True):
            assert isinstance(end, Closed)

    for turns in range(5):
        asyncio.run(run(turns))
    gc.collect()  # whose warnings are errors


def test_a_task_that_was_cancelled_before_learns_why(silent: str) -> None:
    async def run() -> None:
        client = AsyncClient(silent)

        async def stubborn() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await client.models()

        asking = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.sleep(0.2)
        await client.close()
        with pytest.raises(Closed):
            await asyncio.wait_for(asking, SOON_S)

    asyncio.run(run())


def test_who_closes_it_may_be_in_a_hurry(silent: str) -> None:
    """A call whose video ends slowly is waited for no longer, and the connection is closed all the same."""

    async def run() -> None:
        client = AsyncClient(silent)

        async def frames() -> AsyncIterator[Frame]:
            try:
                await asyncio.sleep(60)
                yield Frame(PICTURE, 0.0, 0)
            finally:
                await asyncio.sleep(0.5)

        asking = asyncio.create_task(client.classify(frames()))
        await asyncio.sleep(0.2)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.close()
        await client.close()
        with pytest.raises(Closed):
            await asyncio.wait_for(asking, SOON_S)
        await asyncio.sleep(0.1)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
