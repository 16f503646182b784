"""How long one picture with a box takes, and how much of that is the gateway's own: everything but Triton's compute.

    make bench
    python -m bench.speed.gateway_share --beside FOLDER

Starts a service of its own. Triton's compute is read from its statistics before and after each request. With --beside,
the service of another checkout (set up by its own `make setup`) is asked in turns with this one: machines are shared
and noisy, ratios within one run hold.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import httpx
import tritonclient.grpc as triton
from deephar import Client
from deephar.video import frames_of

from service.testing.running import ROOT, ServiceProcess, running_service

BOX = "[[225, 70, 190, 345]]"  # the person in the sample picture, which has 640 x 480 pixels
WARM_UP, REQUESTS, CALLERS = 20, 200, 8


class Side:
    """One service that is measured, and what was measured of it: milliseconds, by name."""

    def __init__(self, name: str, service: ServiceProcess) -> None:
        self.name, self._service = name, service
        self._connections = threading.local()
        self._triton = triton.InferenceServerClient(service.triton_address())
        self._picture = (ROOT / "samples" / "person.jpg").read_bytes()
        self.times_ms: dict[str, list[float]] = {}
        self.rates: dict[str, float] = {}

    def pose(self, boxes: str | None = BOX) -> float:
        """Milliseconds of one call, without the caller's own work of building the form."""
        fields = {"boxes": boxes} if boxes else {}
        request = httpx.Request("POST", self._service.url, files={"image": self._picture}, data=fields)
        form, headers = request.read(), {"Content-Type": request.headers["content-type"]}
        if not hasattr(self._connections, "kept"):
            self._connections.kept = HTTPConnection("127.0.0.1", self._service.http_port, timeout=60)
        connection: HTTPConnection = self._connections.kept
        began = time.perf_counter()
        connection.request("POST", "/v1/pose", form, headers)
        response = connection.getresponse()
        response.read()
        took = 1e3 * (time.perf_counter() - began)
        if response.status != 200:
            raise RuntimeError(f"status {response.status}")
        return took

    def measure_picture(self, boxes: str | None) -> None:
        before = self._compute_ms()
        total = self.pose(boxes)
        spent = {name: ms - before[name] for name, ms in self._compute_ms().items() if ms > before[name]}
        kind = "with a box" if boxes else "without a box"
        self._add(f"picture {kind}", total)
        self._add("  the gateway's own share", total - sum(spent.values()))
        for name, ms in spent.items():
            self._add(f"  Triton's compute, {name}", ms)

    def measure_many(self) -> None:
        began = time.perf_counter()
        with ThreadPoolExecutor(CALLERS) as pool:
            list(pool.map(lambda _: self.pose(), range(REQUESTS)))
        self.rates[f"pictures a second, {CALLERS} callers"] = REQUESTS / (time.perf_counter() - began)

    def measure_stream(self) -> None:
        frames = list(frames_of(str(ROOT / "samples" / "jumping_jacks.mp4")))
        with Client(self._service.grpc_address) as client:
            began = time.perf_counter()
            client.classify(frames)
        self.rates["video frames a second, one stream"] = len(frames) / (time.perf_counter() - began)

    def _add(self, name: str, ms: float) -> None:
        self.times_ms.setdefault(name, []).append(ms)

    def _compute_ms(self) -> dict[str, float]:
        """Triton's compute for each network since its start, as Triton reports it."""
        compute = {}
        for model in self._triton.get_inference_statistics().model_stats:
            stats = model.inference_stats
            compute[model.name] = float(stats.compute_input.ns + stats.compute_infer.ns + stats.compute_output.ns) / 1e6
        return compute


def measure(sides: Sequence[Side], boxes: str | None, count: int) -> None:
    for _ in range(WARM_UP):
        for side in sides:
            side.pose(boxes)
    for _ in range(count):
        for side in sides:
            side.measure_picture(boxes)


def print_times(sides: Sequence[Side]) -> None:
    print(f"{'milliseconds, median (p95)':34}" + "".join(f"{side.name:>20}" for side in sides))
    for name in dict.fromkeys(name for side in sides for name in side.times_ms):
        cells = []
        for side in sides:
            ordered = sorted(side.times_ms.get(name, []))
            p95 = ordered[int(0.95 * (len(ordered) - 1))] if ordered else 0.0
            cells.append(f"{statistics.median(ordered):.2f} ({p95:.2f})" if ordered else "-")
        print(f"{name:34}" + "".join(f"{cell:>20}" for cell in cells))
    for side in sides:
        side.times_ms.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", type=Path, metavar="FOLDER", help="another checkout of this project")
    arguments = parser.parse_args()
    checkouts = [ROOT] if arguments.beside is None else [ROOT, arguments.beside.resolve()]
    with ExitStack() as running:
        sides = [
            Side("here" if checkout == ROOT else "beside", running.enter_context(running_service(checkout=checkout)))
            for checkout in checkouts
        ]
        measure(sides, BOX, REQUESTS)
        print_times(sides)
        measure(sides, None, REQUESTS // 4)
        print_times(sides)
        for side in sides:
            side.measure_many()
            side.measure_stream()
    for name in sides[0].rates:
        print(f"{name:34}" + "".join(f"{side.rates[name]:20.1f}" for side in sides))


if __name__ == "__main__":
    main()
