"""How cost grows: a frame with overlap and people, a picture with its size; memory with requests and with time."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import cv2
import numpy as np
import uvloop
from deephar.v1 import inference_pb2 as pb

from bench.speed import http_load
from bench.speed.http_load import Caller
from bench.speed.processes import service_cpu_ms, service_memory_mb
from bench.speed.report import Cell, Options, Table
from bench.speed.video_load import FPS, Picture, jpeg, sample_pictures, send_at_once
from service.testing.running import ServiceProcess

HOPS = (1, 2, 4, 8, 16)
PEOPLE = (1, 2, 4, 8)
SIZES = ((320, 180), (640, 360), (1280, 720), (1920, 1080), (3840, 2160))
CALLERS = 8
FULL_REQUESTS, FULL_STREAM_S = 1000, 3600
_TILE_WIDTH, _TILE_HEIGHT, _COLUMNS = 320, 360, 4


def measure(options: Options) -> Iterator[Table]:
    with options.service() as service:
        yield uvloop.run(_overlap(service, options))
        yield uvloop.run(_people(service, options))
        yield uvloop.run(_sizes(service, options))
    with options.service() as service:
        yield uvloop.run(_memory(service, options))


class _Costs:
    """Cost of each of some ways, in rounds in which they take turns."""

    def __init__(self, service: ServiceProcess) -> None:
        self._service = service
        self._taken: dict[str, list[tuple[float, float]]] = {}

    async def add(self, name: str, frames: int, work: Callable[[], Awaitable[object]]) -> None:
        before, began = service_cpu_ms(self._service), time.perf_counter()
        await work()
        wall_ms = 1e3 * (time.perf_counter() - began)
        spent = sum(service_cpu_ms(self._service).values()) - sum(before.values())
        self._taken.setdefault(name, []).append((wall_ms / frames, spent / frames))

    async def add_in_turns(self, ways: dict[str, Callable[[], Awaitable[object]]], frames: int, rounds: int) -> None:
        """Adds rounds of all ways, after the first one has warmed the service up."""
        await next(iter(ways.values()))()
        for _ in range(rounds):
            for name, work in ways.items():
                await self.add(name, frames, work)

    def rows(self) -> list[list[Cell]]:
        rows: list[list[Cell]] = []
        for name, taken in self._taken.items():
            wall, cpu = (statistics.median(of_kind) for of_kind in zip(*taken, strict=True))
            rows.append([name, wall, cpu])
        return rows


def _frames_for(options: Options) -> int:
    """Returns how many frames are sent at once: as many as take about a turn."""
    return max(2 * FPS, int(FPS * options.turn_s))


async def _overlap(service: ServiceProcess, options: Options) -> Table:
    frames, count = [jpeg(picture) for picture in sample_pictures(640, 360)], _frames_for(options)
    costs, actions = _Costs(service), {}

    async def one(hop: int) -> None:
        config = pb.StreamConfig(want_keypoints=True, hop=hop)
        actions[hop] = (await send_at_once(service.grpc_address, frames, count, config)).actions

    await costs.add_in_turns({f"hop {hop}": partial(one, hop) for hop in HOPS}, count, options.rounds)
    rows = [[*row, actions[hop]] for hop, row in zip(HOPS, costs.rows(), strict=True)]
    title = "Cost of a frame by the overlap of windows of 16 samples: one stream, 640 x 360, pose of every frame"
    notes = [f"{count} frames as fast as they are taken, which is {count / FPS:.1f} s of video."]
    return Table(title, ["", "wall ms", "CPU ms", "actions"], rows, notes)


async def _people(service: ServiceProcess, options: Options) -> Table:
    count, costs, found = _frames_for(options), _Costs(service), {}
    crowds = {people: [jpeg(_crowd(people, 2 * i)) for i in (0, 1, 2, 3, 2, 1)] for people in PEOPLE}

    async def one(people: int) -> None:
        config = pb.StreamConfig(want_keypoints=True, following=pb.FOLLOWING_ALL)
        found[people] = (await send_at_once(service.grpc_address, crowds[people], count, config)).people

    await costs.add_in_turns({f"{people} people": partial(one, people) for people in PEOPLE}, count, options.rounds)
    rows = [[*row, found[people]] for people, row in zip(PEOPLE, costs.rows(), strict=True)]
    title = "Cost of a frame by people: one stream, 1280 x 720, all people, pose of every frame"
    return Table(title, ["", "wall ms", "CPU ms", "people found"], rows)


def _crowd(people: int, shift: int) -> Picture:
    """Returns a picture of 1280 x 720 pixels.

    Args:
        people: Number of copies of the sample's person.
        shift: Pixels by which all are moved to the right and down.
    """
    sample = http_load.picture()[60:435, 190:450]
    height, width = sample.shape[:2]
    scale = min((_TILE_WIDTH - 20) / width, (_TILE_HEIGHT - 20) / height)
    person = cv2.resize(sample, (int(width * scale), int(height * scale)), interpolation=cv2.INTER_AREA)
    crowd = np.full((2 * _TILE_HEIGHT, _COLUMNS * _TILE_WIDTH, 3), 128, np.uint8)
    for i in range(people):
        top = i // _COLUMNS * _TILE_HEIGHT + shift
        left = i % _COLUMNS * _TILE_WIDTH + shift
        crowd[top : top + person.shape[0], left : left + person.shape[1]] = person
    return crowd


async def _sizes(service: ServiceProcess, options: Options) -> Table:
    scene = http_load.picture()[75:435]  # 640 x 360 pixels
    callers = {}
    for size in SIZES:
        picture = jpeg(cv2.resize(scene, size, interpolation=cv2.INTER_AREA))
        callers[size] = Caller(service.http_port, http_load.post(picture, "image/jpeg"))
    costs = _Costs(service)
    for caller in callers.values():
        http_load.done([await caller.ask()])
    count = 5
    deadline = time.monotonic() + options.seconds * len(SIZES)
    while time.monotonic() < deadline:
        for (width, height), caller in callers.items():
            await costs.add(f"{width} x {height}", count, partial(_ask, caller, count))
    title = "Cost of a picture without a box by its size: POST /v1/pose, JPEG, one caller"
    return Table(title, ["", "wall ms", "CPU ms"], costs.rows())


async def _ask(caller: Caller, count: int) -> None:
    http_load.done([await caller.ask() for _ in range(count)])


async def _memory(service: ServiceProcess, options: Options) -> Table:
    requests = FULL_REQUESTS if options.full else round(FULL_REQUESTS * min(1.0, options.seconds / 10))
    stream_s = FULL_STREAM_S if options.full else 30 * options.seconds
    rows: list[list[Cell]] = []

    callers = [Caller(service.http_port, http_load.person_with_box()) for _ in range(CALLERS)]
    await _requests(callers, requests)
    before = service_memory_mb(service)
    await _requests(callers, 9 * requests)
    rows += _grown(f"{requests:,} and {10 * requests:,} requests", before, service_memory_mb(service))

    frames, count = [jpeg(picture) for picture in sample_pictures(640, 360)], round(stream_s * FPS)
    seen: list[dict[str, float]] = []

    def look(index: int) -> None:
        if index == count // 10:
            seen.append(service_memory_mb(service))

    await send_at_once(service.grpc_address, frames, count, pb.StreamConfig(), at=look)
    rows += _grown(f"{stream_s / 600:.1f} and {stream_s / 60:.0f} min of a stream", seen[0], service_memory_mb(service))
    notes = [
        "Resident memory of the processes; one service for both rows, first the requests, then the stream.",
        "The stream is sent as fast as it is taken; its minutes are of media time.",
    ]
    return Table("Memory", ["after", "of", "before MB", "after MB", "growth %"], rows, notes)


async def _requests(callers: list[Caller], count: int) -> None:
    """Sends `count` requests in all, over the connections of the callers."""
    left = iter(range(count))

    async def ask(caller: Caller) -> None:
        for _ in left:
            http_load.done([await caller.ask()])

    await asyncio.gather(*(ask(caller) for caller in callers))


def _grown(name: str, before: dict[str, float], after: dict[str, float]) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for kind, mb in before.items():
        rows.append([name, kind, mb, after[kind], 100 * (after[kind] / mb - 1)])
    mb, now = sum(before.values()), sum(after.values())
    return [*rows, [name, "all", mb, now, 100 * (now / mb - 1)]]
