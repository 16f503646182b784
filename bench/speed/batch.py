"""`deephar batch` over a folder of pictures, against callers that have nothing else to do."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from bench.speed import http_load
from bench.speed.http_load import Caller
from bench.speed.report import Cell, Options, Table, median_ratio
from service.testing.running import ServiceProcess

PICTURES = 2_000
CALLERS = 16  # as in `gateway`, where that many have the highest rate
_ROUNDS = 2


def measure(options: Options) -> Iterator[Table]:
    box = ",".join(map(str, http_load.BOX))
    sides = {
        "with a box": (http_load.person_with_box(), ["--box", box]),
        "without": (http_load.form(http_load.PICTURE.read_bytes()), []),
    }
    rows: list[list[Cell]] = []
    with tempfile.TemporaryDirectory() as folder, options.service() as service:
        pictures = _pictures(Path(folder) / "pictures")
        for name, (request, arguments) in sides.items():
            saturated, batch, processor_ms = [], [], []
            callers = [Caller(service.http_port, request) for _ in range(CALLERS)]
            uvloop.run(_rate(callers, 1.0))
            for number in range(_ROUNDS):
                saturated.append(uvloop.run(_rate(callers, options.seconds)))
                output = Path(folder) / f"{name}-{number}"
                rate, processor_s = _batch(service, pictures, output, arguments)
                batch.append(rate)
                processor_ms.append(1e3 * processor_s / PICTURES)
                shutil.rmtree(output)
            middle = [statistics.median(saturated), statistics.median(batch), median_ratio(batch, saturated)]
            rows.append([name, *middle, statistics.median(processor_ms)])
    columns = ["", f"{CALLERS} callers /s", "batch /s", "of the callers", "batch, CPU ms"]
    notes = [f"{PICTURES:,} JPEGs of 640 x 480 from a folder, each with a result file; with the start of the program."]
    yield Table("Pictures a second of `deephar batch`, and of callers that only send", columns, rows, notes)


async def _rate(callers: list[Caller], seconds: float) -> float:
    for caller in callers:
        caller.close()  # of another event loop
    return await http_load.rate(callers, seconds)


def _pictures(folder: Path) -> Path:
    folder.mkdir()
    first = folder / "0000.jpg"
    shutil.copy(http_load.PICTURE, first)
    for number in range(1, PICTURES):
        os.link(first, folder / f"{number:04}.jpg")
    return folder


def _batch(service: ServiceProcess, pictures: Path, output: Path, arguments: list[str]) -> tuple[float, float]:
    """Returns pictures a second of a whole batch, and the seconds of a core that its process took."""
    command = [sys.executable, "-m", "deephar", "batch", str(pictures), "-o", str(output), *arguments]
    before, began = os.times(), time.perf_counter()
    subprocess.run([*command, "--address", service.grpc_address], check=True, capture_output=True)
    passed_s, after = time.perf_counter() - began, os.times()
    taken_s = after.children_user + after.children_system - before.children_user - before.children_system
    return PICTURES / passed_s, taken_s
