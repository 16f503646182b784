"""What callers see at full load and at five times that: who is let in, who is refused, and how long either takes.

    make bench-overload

Starts a service of its own. Full load is as many callers as the service has places, each asking again when it is
answered. At five times that load, so many callers ask at five times the rate that full load had, whatever the answers.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from pathlib import Path

import uvloop

from service.testing.running import ROOT, ServiceProcess, running_service

PLACES = 32
FACTOR = 5


class Caller:
    """One kept connection; raw HTTP, so that the callers take little of the machine."""

    def __init__(self, port: int, body: bytes) -> None:
        head = f"POST /v1/pose HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
        self._port, self._request = port, head.encode() + body
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> tuple[int, float]:
        """Status and seconds."""
        if self._streams is None or self._streams[0].at_eof():  # a connection that rests is closed after a while
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        began = time.perf_counter()
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        if b"connection: close" in head:
            writer.close()
            self._streams = None
        return int(head.split()[1]), time.perf_counter() - began


async def full_load(callers: list[Caller], seconds: float) -> list[tuple[int, float]]:
    answers: list[tuple[int, float]] = []
    deadline = time.monotonic() + seconds

    async def keep_asking(caller: Caller) -> None:
        while time.monotonic() < deadline:
            answers.append(await caller.ask())

    await asyncio.gather(*(keep_asking(caller) for caller in callers))
    return answers


async def overload(callers: list[Caller], rate: float, seconds: float) -> list[tuple[int, float]]:
    """Requests at this rate, each by a caller that is free; where none is, it is not sent."""
    free, answers, tasks = list(callers), [], set()

    async def ask(caller: Caller) -> None:
        answers.append(await caller.ask())
        free.append(caller)

    began = time.monotonic()
    sent = 0
    while (now := time.monotonic() - began) < seconds:
        while sent < now * rate and free:
            task = asyncio.create_task(ask(free.pop()))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            sent += 1
        sent = max(sent, int(now * rate))
        await asyncio.sleep(0.002)
    await asyncio.gather(*tasks)
    return answers


async def readiness(port: int, seconds: float) -> Counter[int]:
    statuses: Counter[int] = Counter()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        statuses[int((await reader.read()).split()[1])] += 1
        writer.close()
        await asyncio.sleep(0.2)
    return statuses


def told(name: str, answers: list[tuple[int, float]], seconds: float) -> None:
    for status, count in sorted(Counter(status for status, _ in answers).items()):
        times = sorted(1e3 * took for s, took in answers if s == status)
        middle, late = times[len(times) // 2], times[int(0.99 * (len(times) - 1))]
        print(f"{name:16} {status} {count:7} {count / seconds:8.1f} {middle:9.1f} {late:9.1f} {times[-1]:9.1f}")


def peak_mb(service: ServiceProcess) -> float:
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


async def measure(service: ServiceProcess, seconds: float) -> None:
    picture = (ROOT / "samples" / "person.jpg").read_bytes()
    callers = [Caller(service.http_port, picture) for _ in range(FACTOR * PLACES * 2)]
    await full_load(callers[:PLACES], 3)
    at_full = await full_load(callers[:PLACES], seconds)
    rate = FACTOR * len(at_full) / seconds
    ready, over = await asyncio.gather(readiness(service.http_port, seconds), overload(callers, rate, seconds))
    print(f"{'':16} {'':3} {'answers':>7} {'a second':>8} {'median ms':>9} {'p99 ms':>9} {'most ms':>9}")
    told("full load", at_full, seconds)
    told(f"{FACTOR} times that", over, seconds)
    print(f"readiness meanwhile: {dict(ready)}; peak memory of the gateway {peak_mb(service):.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    with running_service() as service:
        uvloop.run(measure(service, arguments.seconds))


if __name__ == "__main__":
    main()
