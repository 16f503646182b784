"""What callers see at full load and at five times that: who is let in, who is refused, and how long either takes.

At full load there are as many callers as the service has places, and each asks again when it is answered. At five times
full load, requests arrive at five times the rate that was answered at full load. Pictures have no box.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

import uvloop

from bench.speed import http_load
from bench.speed.http_load import Answer, Caller
from bench.speed.processes import peak_mb
from bench.speed.report import Cell, Options, Table
from service.testing.running import ServiceProcess

PLACES = 32
FACTOR = 5


def measure(options: Options) -> Iterator[Table]:
    with options.service() as service:
        yield uvloop.run(_measure(service, max(3.0, options.seconds)))


async def _measure(service: ServiceProcess, seconds: float) -> Table:
    request = http_load.post(http_load.PICTURE.read_bytes(), "image/jpeg")
    callers = [Caller(service.http_port, request) for _ in range(FACTOR * PLACES * 2)]
    await http_load.closed_loop(callers[:PLACES], 3)
    at_full = await http_load.closed_loop(callers[:PLACES], seconds)
    rate = FACTOR * len(at_full) / seconds
    ready, over = await asyncio.gather(_readiness(service.http_port, seconds), _overload(callers, rate, seconds))
    recovery = await _recovery(callers[0])
    rows = _rows("full load", at_full, seconds) + _rows(f"{FACTOR} times that", over, seconds)
    notes = [
        f"Readiness meanwhile, answers by status: {dict(ready)}. First accepted request {recovery:.2f} s afterwards.",
        f"Peak memory of the gateway: {peak_mb(service.process.pid):.0f} MB.",
    ]
    columns = ["", "status", "answers", "a second", "p50 ms", "p99 ms", "most ms"]
    return Table("Overload: POST /v1/pose without a box", columns, rows, notes)


async def _overload(callers: list[Caller], rate: float, seconds: float) -> list[Answer]:
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


async def _recovery(caller: Caller) -> float:
    """Returns the seconds until a request is accepted."""
    began = time.monotonic()
    while (await caller.ask()).status != 200:
        pass
    return time.monotonic() - began


async def _readiness(port: int, seconds: float) -> Counter[int]:
    statuses: Counter[int] = Counter()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        statuses[int((await reader.read()).split()[1])] += 1
        writer.close()
        await asyncio.sleep(0.2)
    return statuses


def _rows(name: str, answers: list[Answer], seconds: float) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for status, count in sorted(Counter(answer.status for answer in answers).items()):
        of_status = [answer for answer in answers if answer.status == status]
        late = [http_load.latency_ms(of_status, share) for share in (0.5, 0.99, 1.0)]
        rows.append([name, str(status), count, count / seconds, *late])
    return rows
