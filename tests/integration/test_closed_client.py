"""A client that is closed, whatever it is doing: each call ends soon, with `Closed`, and nothing of it goes on."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from deephar import AsyncClient, Client
from deephar.errors import Closed
from deephar.video import frames_of

from service.testing.running import ServiceProcess
from tests.conftest import SAMPLES

SOON_S = 5.0
VIDEO = SAMPLES / "jumping_jacks.mp4"
PICTURES = [frame.picture for frame in frames_of(VIDEO)]


@pytest.fixture(scope="module", params=["grpc", "rest"])
def address(service: ServiceProcess, request: pytest.FixtureRequest) -> str:
    return service.grpc_address if request.param == "grpc" else service.url


class Endless:
    """Pictures without end, for both clients.

    Attributes:
        given: How many were taken.
    """

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self.given = 0

    def __iter__(self) -> Iterator[Any]:
        for picture in itertools.cycle(PICTURES):
            time.sleep(self._pause_s)
            self.given += 1
            yield picture

    async def __aiter__(self) -> AsyncIterator[Any]:
        for picture in itertools.cycle(PICTURES):
            await asyncio.sleep(self._pause_s)
            self.given += 1
            yield picture


def classified(client: Any, video: Endless) -> Any:
    return client.classify(video, fps=10)


def classified_file(client: Any, _: Endless) -> Any:
    return client.classify(VIDEO)


def streamed(client: Any, video: Endless) -> Any:
    if isinstance(client, Client):
        return list(client.stream(video, fps=10))
    return read_to_the_end(client, video)


async def read_to_the_end(client: AsyncClient, video: Endless) -> None:
    async for _ in client.stream(video, fps=10):
        pass


CALLS = pytest.mark.parametrize(
    ("call", "pause_s", "after_s"),
    [
        pytest.param(classified, 0.0, 0.3, id="a clip without end"),
        pytest.param(classified, 0.1, 0.3, id="a clip that is awaited"),
        pytest.param(classified_file, 0.0, 0.05, id="a file"),
        pytest.param(streamed, 0.0, 0.0, id="a stream that begins"),
        pytest.param(streamed, 0.0, 0.003, id="a stream that connects"),
        pytest.param(streamed, 0.0, 0.3, id="a stream"),
        pytest.param(streamed, 0.1, 0.3, id="a stream whose frames are awaited"),
    ],
)


@CALLS
def test_a_call_of_a_client(address: str, call: Callable[..., Any], pause_s: float, after_s: float) -> None:
    client, video, ends = Client(address), Endless(pause_s), []

    def run() -> None:
        with pytest.raises(Closed):
            call(client, video)
        ends.append(time.monotonic())

    running = threading.Thread(target=run)
    running.start()
    running.join(after_s)
    began = time.monotonic()
    client.close()
    running.join(SOON_S)
    assert ends
    assert ends[0] - began < SOON_S
    assert_nothing_more_is_taken(video)


@CALLS
def test_a_call_of_an_async_client(address: str, call: Callable[..., Any], pause_s: float, after_s: float) -> None:
    video = Endless(pause_s)

    async def run() -> None:
        client = AsyncClient(address)
        running = asyncio.ensure_future(call(client, video))
        await asyncio.wait((running,), timeout=after_s)
        await asyncio.wait_for(client.close(), SOON_S)
        with pytest.raises(Closed):
            await asyncio.wait_for(running, SOON_S)
        if others := asyncio.all_tasks() - {asyncio.current_task()}:  # gRPC's own end with the call
            assert not (await asyncio.wait(others, timeout=SOON_S))[1]

    asyncio.run(run())
    assert_nothing_more_is_taken(video)


def assert_nothing_more_is_taken(video: Endless) -> None:
    time.sleep(0.15)  # a thread that reads frames may be at one
    before = video.given
    time.sleep(0.15)
    assert video.given == before


def test_in_the_loop_of_a_stream(address: str) -> None:
    with Client(address) as client:
        events = client.stream(Endless(0.0), fps=10)
        next(events)
        client.close()
        with pytest.raises(Closed):
            list(events)


@pytest.mark.parametrize("rounds", [1, 5])
def test_in_the_loop_of_an_async_stream(address: str, rounds: int) -> None:
    async def run() -> None:
        client = AsyncClient(address)
        number = 0
        async for _ in client.stream(Endless(0.0), fps=10):
            number += 1
            if number == rounds:
                await client.close()

    with pytest.raises(Closed):
        asyncio.run(asyncio.wait_for(run(), SOON_S))


def test_who_waits_for_a_call_may_still_be_cancelled(address: str) -> None:
    async def run() -> None:
        async with AsyncClient(address) as client:
            running = asyncio.ensure_future(client.classify(Endless(0.1), fps=10))
            await asyncio.sleep(0.3)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert (await client.models())[0].name

    asyncio.run(run())


def test_frames_that_come_too_slowly_are_no_longer_taken(address: str) -> None:
    """After the time limit of a clip."""
    video = Endless(0.05)
    with Client(address) as client, pytest.raises(Exception, match="time"):
        client.classify(video, fps=10, timeout_s=0.5)
    assert_nothing_more_is_taken(video)


def test_a_picture(address: str) -> None:
    async def run() -> None:
        client = AsyncClient(address)
        running = [asyncio.ensure_future(client.pose(VIDEO.with_name("people.jpg"), flip=True)) for _ in range(8)]
        await asyncio.wait(running, timeout=0.1)
        await client.close()
        ends = await asyncio.wait_for(asyncio.gather(*running, return_exceptions=True), SOON_S)
        assert any(isinstance(end, Closed) for end in ends)
        assert all(isinstance(end, Closed) or not isinstance(end, BaseException) for end in ends)

    asyncio.run(run())


def test_further_calls_are_refused(address: str) -> None:
    client = Client(address)
    client.close()
    for call in (
        client.models,
        lambda: client.pose(b""),
        lambda: client.classify(PICTURES, fps=10),
        lambda: list(client.stream([])),
    ):
        with pytest.raises(Closed, match="make another one"):
            call()


def test_further_calls_of_an_async_client_are_refused(address: str) -> None:
    async def run() -> None:
        client = AsyncClient(address)
        await client.models()
        await client.close()
        for call in (
            client.models,
            lambda: client.pose(b""),
            lambda: client.classify(PICTURES, fps=10),
            lambda: anext(client.stream([])),
        ):
            with pytest.raises(Closed, match="make another one"):
                await call()

    asyncio.run(run())
