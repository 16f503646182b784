"""Callers over HTTP that take little of the machine: raw requests on kept connections, in one process."""

from __future__ import annotations

import asyncio
import json
import random
import time
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.speed.report import percentile
from service.testing.running import ROOT

PATH = "/v1/pose"
PICTURE = ROOT / "samples" / "person.jpg"  # 640 x 480 pixels
BOX = [225, 70, 190, 345]  # of the person in it
_BOUNDARY = "deephar-bench"


def picture() -> NDArray[np.uint8]:
    """Returns the sample picture's pixels, in BGR."""
    pixels = cv2.imdecode(np.frombuffer(PICTURE.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(pixels, np.uint8)


class Answer(NamedTuple):
    status: int
    seconds: float
    body: bytes


def post(body: bytes, content_type: str, path: str = PATH) -> bytes:
    """Returns the bytes of a request."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def form(picture: bytes, **fields: str) -> bytes:
    """Returns the request that `curl -F image=@FILE -F FIELD=VALUE` sends, without its waiting for 100 Continue."""
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = 'Content-Disposition: form-data; name="image"; filename="image.jpg"\r\nContent-Type: image/jpeg'
    parts.append(f"--{_BOUNDARY}\r\n{head}\r\n\r\n".encode() + picture + f"\r\n--{_BOUNDARY}--\r\n".encode())
    return post(b"".join(parts), f"multipart/form-data; boundary={_BOUNDARY}")


def person_with_box() -> bytes:
    """Returns the request of most measurements: the sample picture with a box."""
    return form(PICTURE.read_bytes(), boxes=json.dumps([BOX]))


LONGEST_REST_S = 2.0


class Caller:
    """One kept connection, which sends the same request again and again."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port, self._request = port, request
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._rested_s = 0.0  # since when it rests

    async def ask(self) -> Answer:
        # A connection that rests is closed after a while, maybe at this very moment.
        if self._streams is None or self._streams[0].at_eof() or time.perf_counter() > self._rested_s + LONGEST_REST_S:
            self.close()
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        began = time.perf_counter()
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        body = await _body(reader, head)
        if b"connection: close" in head:
            self.close()
        self._rested_s = time.perf_counter()
        return Answer(int(head.split()[1]), self._rested_s - began, body)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if b"content-length:" in head:
        return await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
    body = b""  # in chunks
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body


def done(answers: list[Answer]) -> list[Answer]:
    """Returns the answers, all of which must be poses."""
    for answer in answers:
        if answer.status != 200:
            raise RuntimeError(f"status {answer.status}: {answer.body[:300]!r}")
    return answers


async def closed_loop(callers: list[Caller], seconds: float) -> list[Answer]:
    """Each caller asks again as soon as it is answered."""
    answers: list[Answer] = []
    deadline = time.perf_counter() + seconds

    async def keep_asking(caller: Caller) -> None:
        while time.perf_counter() < deadline:
            answers.append(await caller.ask())

    await asyncio.gather(*(keep_asking(caller) for caller in callers))
    return answers


async def rate(callers: list[Caller], seconds: float) -> float:
    """Returns the answers a second of a closed loop."""
    began = time.perf_counter()
    answers = done(await closed_loop(callers, seconds))
    return len(answers) / (time.perf_counter() - began)


async def open_loop(port: int, request: bytes, rate: float, seconds: float, even: bool) -> list[Answer]:
    """Requests do not wait for answers. Their seconds count from when they were to be sent.

    Args:
        port: Of the service.
        request: Its bytes.
        rate: Requests a second.
        seconds: How long they arrive.
        even: Whether they come at even times; otherwise at random ones (Poisson), the same in each run.
    """
    arrivals = random.Random(0)
    answers: list[Answer] = []
    tasks: list[asyncio.Task[None]] = []
    free: list[Caller] = []

    async def ask(due: float) -> None:
        caller = free.pop() if free else Caller(port, request)
        answer = await caller.ask()
        answers.append(answer._replace(seconds=time.perf_counter() - due))
        free.append(caller)

    due = began = time.perf_counter()
    while due < began + seconds:
        await asyncio.sleep(due - time.perf_counter())
        tasks.append(asyncio.create_task(ask(due)))
        due += 1 / rate if even else arrivals.expovariate(rate)
    await asyncio.gather(*tasks)
    for caller in free:
        caller.close()
    return answers


def latency_ms(answers: list[Answer], share: float) -> float:
    return 1e3 * percentile((answer.seconds for answer in answers), share)
