"""How many live streams the service sustains, and what becomes of twice as many."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import uvloop
from deephar.v1 import inference_pb2 as pb

from bench.speed.processes import service_cpu_ms
from bench.speed.report import Cell, Options, Table, percentile
from bench.speed.video_load import FPS, LIMIT_S, Sent, jpeg, sample_pictures, send
from service.testing.running import ServiceProcess

WIDTH, HEIGHT, HOP = 640, 360, 4
SHARE = 0.99  # of the frames, whose pose comes in time
STEPS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64)
_COLUMNS = ["streams", "on time %", "p50 ms", "p99 ms", "poses/s a stream", "actions/s a stream"]
_COLUMNS += ["first action ms", "dropped %", "errors", "service, cores", "sender, cores"]


@dataclass
class Run:
    """Streams that were sent at the same time."""

    sent: list[Sent]
    service_cores: float
    sender_cores: float

    @property
    def frames(self) -> int:
        return sum(len(one.due_s) for one in self.sent)

    @property
    def on_time(self) -> float:
        """The share of the frames whose pose came in time; those that never came are late."""
        return sum(one.on_time() for one in self.sent) / self.frames

    @property
    def sustained(self) -> bool:
        return self.on_time >= SHARE and not any(one.error for one in self.sent)

    def row(self, name: str) -> list[Cell]:
        lags = [lag for one in self.sent for lag in one.lags_ms()]
        seconds = self.frames / FPS  # of all streams
        first = [1e3 * one.first_action_s for one in self.sent if one.first_action_s is not None]
        return [
            name,
            100 * self.on_time,
            percentile(lags, 0.5) if lags else None,
            percentile(lags, 0.99) if lags else None,
            sum(one.poses_while_sending() for one in self.sent) / seconds,
            sum(one.actions for one in self.sent) / seconds,
            percentile(first, 0.5) if first else None,
            100 * sum(one.dropped for one in self.sent) / self.frames,
            sum(bool(one.error) for one in self.sent),
            self.service_cores,
            self.sender_cores,
        ]


def measure(options: Options) -> Iterator[Table]:
    with options.service(max_streams="256") as service:
        yield from uvloop.run(_measure(service, options))


async def _measure(service: ServiceProcess, options: Options) -> list[Table]:
    frames = [jpeg(picture) for picture in sample_pictures(WIDTH, HEIGHT)]
    seconds = max(3.0, options.seconds)  # the first action comes after 1.5 s
    runs: dict[int, Run] = {}

    async def sustains(count: int) -> bool:
        """Asks twice before it says no: machines are shared."""
        for _ in range(2):
            runs[count] = await run(service, frames, count, seconds, pb.DROP_POLICY_LOSSLESS)
            if runs[count].sustained:
                return True
        return False

    await run(service, frames, 1, 2.0, pb.DROP_POLICY_LOSSLESS)
    most = await _most(sustains)
    twice = 2 * max(most, 1)
    policies = (("lossless", pb.DROP_POLICY_LOSSLESS), ("latest", pb.DROP_POLICY_LATEST))
    over = [(f"{twice}, {name}", await run(service, frames, twice, seconds, policy)) for name, policy in policies]
    title = f"Streams of {FPS} frames a second, {WIDTH} x {HEIGHT} JPEG, pose of every frame, actions each 0.4 s"
    notes = [
        f"Sustained: {most}. So many have the pose of {SHARE:.0%} of their frames within {1e3 * LIMIT_S:.0f} ms after",
        f"the frame was due to be sent; a number fails when it failed twice. {seconds:.0f} s each.",
        "First action: median of the streams, from when the frame that completes the first window was due.",
    ]
    return [
        Table(title, _COLUMNS, [runs[count].row(str(count)) for count in sorted(runs)], notes),
        Table("Twice as many as are sustained", _COLUMNS, [one.row(name) for name, one in over], _errors(over)),
    ]


def _errors(over: list[tuple[str, Run]]) -> list[str]:
    """Returns what each run's first error said."""
    return [f"{name}: {error}" for name, one in over for error in [sent.error for sent in one.sent if sent.error][:1]]


async def _most(sustains: Callable[[int], Awaitable[bool]]) -> int:
    """Returns the largest number that is sustained: upwards until one fails, then between the last two."""
    good, bad = 0, None
    for count in STEPS:
        if not await sustains(count):
            bad = count
            break
        good = count
    while bad is not None and bad - good > 1:
        middle = (good + bad) // 2
        if await sustains(middle):
            good = middle
        else:
            bad = middle
    return good


async def run(service: ServiceProcess, frames: list[bytes], count: int, seconds: float, policy: pb.DropPolicy) -> Run:
    """Sends `count` streams at the same time. They begin at random times within a second."""
    starts = random.Random(count)
    config = pb.StreamConfig(want_keypoints=True, hop=HOP, drop_policy=policy)
    before, began, own = service_cpu_ms(service), time.monotonic(), os.times()
    sent = await asyncio.gather(
        *(send(service.grpc_address, frames, began + 0.2 + starts.random(), seconds, config) for _ in range(count))
    )
    if service.process.poll() is not None:
        raise RuntimeError(f"the service ended with {service.process.returncode}:\n{service.log.read_text()[-2000:]}")
    took_ms, after = 1e3 * (time.monotonic() - began), os.times()
    spent = sum(service_cpu_ms(service).values()) - sum(before.values())
    return Run(sent, spent / took_ms, 1e3 * (after.user + after.system - own.user - own.system) / took_ms)
