"""One picture with a box through the gateway, against the same service's Triton that is sent ready crops."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Iterator

import cv2
import numpy as np
import uvloop

from bench.speed import http_load, triton_load
from bench.speed.http_load import Answer, Caller
from bench.speed.processes import service_cpu_ms
from bench.speed.report import Cell, Options, Table, median_ratio
from service.testing.running import ServiceProcess
from service.vision.boxes import Box
from service.vision.crops import crop, crop_window_around

CALLERS = (1, 2, 8, 16)
TRITON_CALLERS = 8
NETWORK, SIZE, MARGIN = "lite_frame", 192, 1.1  # as its card says


def measure(options: Options) -> Iterator[Table]:
    with options.service() as service:
        yield from uvloop.run(_measure(service, options))


async def _measure(service: ServiceProcess, options: Options) -> list[Table]:
    request, crops = http_load.person_with_box(), triton_load.request_of(NETWORK, {"image": ready_crop()})
    address = options.triton or service.triton_address()
    callers = [Caller(service.http_port, request) for _ in range(max(CALLERS))]
    await http_load.rate(callers, 1.0)
    await triton_load.rate(address, crops, TRITON_CALLERS, 1.0)

    rates: dict[int, list[float]] = {count: [] for count in CALLERS}
    spent: dict[int, list[dict[str, float]]] = {count: [] for count in CALLERS}
    alone: list[float] = []
    for _ in range(options.rounds):
        alone.append(await triton_load.rate(address, crops, TRITON_CALLERS, options.turn_s))
        for count in CALLERS:
            before, began = _cpu_ms(service), time.perf_counter()
            rates[count].append(await http_load.rate(callers[:count], options.turn_s))
            pictures = rates[count][-1] * (time.perf_counter() - began)
            spent[count].append({kind: (ms - before[kind]) / pictures for kind, ms in _cpu_ms(service).items()})

    clock = triton_load.Clock(address, NETWORK)
    one = http_load.done(await http_load.closed_loop(callers[:1], options.seconds / 2))
    stages_of_one = _stages(one, clock)
    saturated = max(statistics.median(of_count) for of_count in rates.values())
    half = {}
    for way in ("even", "random"):
        clock.restart()
        answers = await http_load.open_loop(service.http_port, request, saturated / 2, options.seconds, way == "even")
        half[way] = http_load.done(answers)
    return [
        _throughput(rates, alone, options),
        _processor_time(spent),
        _latency(half, saturated / 2),
        _stages_table(stages_of_one, _stages(half["random"], clock)),
    ]


def ready_crop() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Returns the crop (1, S, S, 3) that the gateway makes of the sample picture and its box."""
    image = cv2.cvtColor(http_load.picture(), cv2.COLOR_BGR2RGB)
    return crop(image, crop_window_around(Box(*http_load.BOX), MARGIN), SIZE)[None]


def _cpu_ms(service: ServiceProcess) -> dict[str, float]:
    times = os.times()
    return service_cpu_ms(service) | {"load generator": 1e3 * (times.user + times.system)}


def _throughput(rates: dict[int, list[float]], alone: list[float], options: Options) -> Table:
    rows: list[list[Cell]] = [
        [f"gateway, {count} callers", statistics.median(of_count), median_ratio(of_count, alone)]
        for count, of_count in rates.items()
    ]
    rows.append([f"Triton alone, {TRITON_CALLERS} callers", statistics.median(alone), 1.0])
    notes = [f"Medians of {options.rounds} rounds of {options.turn_s:.1f} s, in which all rows take turns."]
    notes.append("Triton alone: the same service's Triton, gRPC, one ready 192 x 192 crop a request.")
    title = "Pictures a second: POST /v1/pose, 640 x 480 JPEG, a box; closed loop"
    return Table(title, ["", "a second", "of Triton alone"], rows, notes)


def _processor_time(spent: dict[int, list[dict[str, float]]]) -> Table:
    kinds = list(spent[CALLERS[0]][0])
    rows: list[list[Cell]] = []
    for count, rounds in spent.items():
        of_kind: list[Cell] = [statistics.median(one[kind] for one in rounds) for kind in kinds]
        rows.append([f"{count} callers", *of_kind, statistics.median(sum(one.values()) for one in rounds)])
    return Table("Milliseconds of a core for one picture, by process", ["", *kinds, "all"], rows)


def _latency(half: dict[str, list[Answer]], arrivals: float) -> Table:
    rows: list[list[Cell]] = []
    for way, answers in half.items():
        p50, p90, p99 = (http_load.latency_ms(answers, share) for share in (0.5, 0.9, 0.99))
        rows.append([f"{way}, {arrivals:.0f} a second", len(answers), p50, p90, p99, p99 / p50])
    title = "Latency at half of the highest throughput, open loop: counted from when a request was to be sent"
    notes = ["Random arrivals are Poisson's: some wait for others, whatever the service does."]
    return Table(title, ["arrivals", "pictures", "p50 ms", "p90 ms", "p99 ms", "p99 / p50"], rows, notes)


def _stages(answers: list[Answer], clock: triton_load.Clock) -> dict[str, float]:
    """Returns where the time of a picture goes: medians in milliseconds, of Triton's own times means."""
    queue, compute = clock.queue_and_compute_ms()
    timings = [json.loads(answer.body)["timing_ms"] for answer in answers]
    of_stage = {name: statistics.median(timing[name] for timing in timings) for name in timings[0]}
    total = statistics.median(1e3 * answer.seconds for answer in answers)
    told = of_stage.pop("total")
    stages = {f"timing_ms.{name}": ms for name, ms in of_stage.items()}
    stages |= {"  of it waiting in Triton": queue, "  of it computing in Triton": compute}
    return stages | {"HTTP, form, JSON, and the caller": total - told, "the whole": total}


def _stages_table(one: dict[str, float], half: dict[str, float]) -> Table:
    rows: list[list[Cell]] = [[name, ms, half.get(name)] for name, ms in one.items()]
    return Table("Where the time of one picture goes", ["", "one caller, ms", "half load, ms"], rows)
