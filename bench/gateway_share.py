"""How long one picture with a box takes, and how much of that is the gateway's own: everything but Triton's compute.

    make bench

Starts a service of its own. Triton's compute is read from its statistics before and after each request.
"""

from __future__ import annotations

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import httpx
import tritonclient.grpc as triton
from deephar import Client
from deephar.video import frames_of

from service.testing.running import ROOT, running_service

BOX = "[[225, 70, 190, 345]]"  # the person in the sample picture, which has 640 x 480 pixels
WARM_UP, REQUESTS, CALLERS = 20, 200, 8


class Connections(threading.local):
    """One kept connection for each calling thread."""

    def __init__(self, port: int) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=60)


def compute_ms(client: triton.InferenceServerClient) -> dict[str, float]:
    """Triton's compute for each network since its start, as Triton reports it."""
    compute = {}
    for model in client.get_inference_statistics().model_stats:
        stats = model.inference_stats
        compute[model.name] = float(stats.compute_input.ns + stats.compute_infer.ns + stats.compute_output.ns) / 1e6
    return compute


def row(name: str, values: list[float]) -> str:
    ordered = sorted(values)
    p95 = ordered[int(0.95 * (len(ordered) - 1))]
    return f"{name:34} {statistics.median(values):8.2f} {p95:8.2f}"


def main() -> None:
    picture = (ROOT / "samples" / "person.jpg").read_bytes()
    clip = str(ROOT / "samples" / "jumping_jacks.mp4")
    with running_service() as service, Client(service.grpc_address) as client:
        connections = Connections(service.http_port)
        inside = triton.InferenceServerClient(service.triton_address())

        def pose(boxes: str = BOX) -> float:
            """Milliseconds of one call, without the caller's own work of building the form."""
            body = httpx.Request("POST", service.url, files={"image": picture}, data={"boxes": boxes})
            form, headers = body.read(), {"Content-Type": body.headers["content-type"]}
            connection = connections.connection
            began = time.perf_counter()
            connection.request("POST", "/v1/pose", form, headers)
            response = connection.getresponse()
            response.read()
            took = 1e3 * (time.perf_counter() - began)
            if response.status != 200:
                raise RuntimeError(f"status {response.status}")
            return took

        totals, shares, searches = [], [], []
        networks: dict[str, list[float]] = {}
        for i in range(WARM_UP + REQUESTS):
            before = compute_ms(inside)
            total = pose()
            if i >= WARM_UP:
                spent = {name: ms - before[name] for name, ms in compute_ms(inside).items()}
                totals.append(total)
                shares.append(total - sum(spent.values()))
                networks.setdefault("lite_frame", []).append(spent["lite_frame"])
        for _ in range(REQUESTS // 4):
            before = compute_ms(inside)
            searches.append(pose(boxes=""))
            networks.setdefault("person", []).append(compute_ms(inside)["person"] - before["person"])
        began = time.perf_counter()
        with ThreadPoolExecutor(CALLERS) as pool:
            list(pool.map(lambda _: pose(), range(REQUESTS)))
        together = REQUESTS / (time.perf_counter() - began)
        frames = list(frames_of(clip))
        began = time.perf_counter()
        client.classify(frames)
        video = len(frames) / (time.perf_counter() - began)
    print(f"{'milliseconds':34} {'median':>8} {'p95':>8}")
    print(row("picture with a box, total", totals))
    print(row("  the gateway's own share", shares))
    for name, values in networks.items():
        print(row(f"  Triton's compute, {name}", values))
    print(row("picture without a box, total", searches))
    print(f"{f'pictures a second, {CALLERS} callers':34} {together:8.1f}")
    print(f"{'video frames a second, one stream':34} {video:8.1f}")


if __name__ == "__main__":
    main()
