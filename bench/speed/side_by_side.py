"""The same picture and network served by what a user would take instead, each beside ours in the same run."""

from __future__ import annotations

import base64
import json
import os
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from numpy.typing import NDArray

from bench.speed import http_load
from bench.speed.http_load import Caller
from bench.speed.processes import family
from bench.speed.report import Cell, Options, Table, median_ratio
from service.testing.ports import free_loopback_port
from service.testing.running import ROOT, running_service

CALLERS = (1, 8)
_PATIENCE_S = 180.0


@dataclass(frozen=True)
class Peer:
    """A program that serves the same network.

    Args:
        name: What it is.
        environment: Folder of its packages, from the checkout.
        module: What is started, with the port as its argument.
        kind: Of its requests: `form`, as ours, or MLServer's `v2`.
        settings: What a reader of its numbers wants to know.
    """

    name: str
    environment: str
    module: str
    kind: str
    settings: str


PEERS = (
    Peer("FastAPI handler", ".venv-bench", "handler", "form", "uvicorn, one process; `def` endpoint, ORT on all cores"),
    Peer("LitServe", ".venv-bench", "litserve_server", "form", "2 workers with an ORT thread each, max_batch_size 8"),
    Peer(
        "MLServer",
        ".venv-bench-mlserver",
        "mlserver_runtime",
        "v2",
        "2 workers with an ORT thread each, max_batch_size 8; V2 JSON with the JPEG in base64",
    ),
    Peer("BentoML", ".venv-bench", "bentoml_service", "form", "2 workers with an ORT thread each, no batching"),
)


@dataclass
class Side:
    """One server: its root process, and what is asked of it."""

    name: str
    port: int
    request: bytes
    pid: int

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Pauses its processes: some poll for work while there is none, and would take the other side's cores."""
        pids = family(self.pid)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def callers(self, count: int) -> list[Caller]:
        return [Caller(self.port, self.request) for _ in range(count)]


def measure(options: Options) -> Iterator[Table]:
    rows: list[list[Cell]] = []
    missing = []
    notes = [
        f"Medians of {options.rounds} rounds of {options.turn_s:.1f} s, in which ours and the other take turns; "
        "the one that waits for its turn is paused."
    ]
    with options.service() as service:
        ours = Side("ours", service.http_port, http_load.person_with_box(), service.process.pid)
        for name, settings, running in _others(options):
            try:
                with running as theirs:
                    rows += uvloop.run(_beside(ours, theirs, options))
                notes.append(f"{name}: {settings}")
            except (OSError, RuntimeError, TimeoutError) as error:
                notes.append(f"{name} is missing: {error}")
                missing.append(name)
    columns = ["beside ours", "callers", "ours /s", "theirs /s", "ours / theirs", "ours p50 ms", "theirs p50 ms"]
    columns.append("apart, px")
    notes.append("Apart: largest distance of a joint from ours in the picture. All but ours compute in fp32.")
    title = "The same picture with a box and the same ONNX, by others: pictures a second and latency, closed loop"
    yield Table(title, columns, rows, notes)
    if missing:
        raise RuntimeError(f"not measured: {', '.join(missing)}")


def _others(options: Options) -> Iterator[tuple[str, str, AbstractContextManager[Side]]]:
    for peer in PEERS:
        yield peer.name, peer.settings, _running(peer)
    if options.beside is not None:
        yield options.beside.name, "another checkout of this project", _checkout(options.beside)


@contextmanager
def _checkout(folder: Path) -> Iterator[Side]:
    with running_service(checkout=folder) as service:
        yield Side(folder.name, service.http_port, http_load.person_with_box(), service.process.pid)


@contextmanager
def _running(peer: Peer) -> Iterator[Side]:
    """Starts a peer, waits until it answers, and ends it with all of its processes."""
    python = ROOT / peer.environment / "bin" / "python"
    if not python.exists():
        raise RuntimeError(f"no {peer.environment}; make bench sets it up")
    port = free_loopback_port()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "BENTOML_DO_NOT_TRACK": "True"}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        log = stack.enter_context((Path(folder) / "log").open("w+b"))
        environment["BENTOML_HOME"] = environment["TMPDIR"] = folder
        process = subprocess.Popen(
            [str(python), "-m", f"bench.speed.peers.{peer.module}", str(port)],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        stack.callback(_end, process)
        side = Side(peer.name, port, _request(peer.kind), process.pid)
        _wait_for(side, process, Path(log.name))
        yield side


def _wait_for(side: Side, process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until it answers the request."""
    deadline, last = time.monotonic() + _PATIENCE_S, "no answer"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"it ended with {process.returncode}: {log.read_text()[-800:]}")
        with suppress(OSError, EOFError):
            answer = uvloop.run(side.callers(1)[0].ask())
            if answer.status == 200:
                return
            last = f"{answer.status} {answer.body[:300]!r}"
        time.sleep(0.2)
    raise TimeoutError(f"{last}: {log.read_text()[-800:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and those that it started, which are in its session."""
    os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _request(kind: str) -> bytes:
    if kind == "form":
        return http_load.person_with_box()
    picture, box = base64.b64encode(http_load.PICTURE.read_bytes()).decode(), http_load.BOX
    image: dict[str, Any] = {"name": "image", "shape": [1, 1], "datatype": "BYTES", "data": [picture]}
    image["parameters"] = {"content_type": "base64"}
    boxes = {"name": "boxes", "shape": [1, 4], "datatype": "FP32", "data": box}
    body = json.dumps({"inputs": [image, boxes]}).encode()
    return http_load.post(body, "application/json", "/v2/models/pose/infer")


def _joints(body: bytes) -> NDArray[np.float64]:
    """Returns x and y of the joints in an answer (K, 2), of whatever side."""
    answer = json.loads(body)
    if "outputs" in answer:
        return np.reshape(answer["outputs"][0]["data"], (-1, 3))[:, :2]
    person = answer["people"][0]
    return np.array([[joint["x"], joint["y"]] for joint in person["keypoints"]])


async def _beside(ours: Side, theirs: Side, options: Options) -> list[list[Cell]]:
    sides = [(side, side.callers(max(CALLERS))) for side in (ours, theirs)]
    joints = [_joints((await callers[0].ask()).body) for _, callers in sides]
    apart = float(np.linalg.norm(joints[0] - joints[1], axis=1).max())
    rates: dict[tuple[str, int], list[float]] = {(side.name, count): [] for side, _ in sides for count in CALLERS}
    medians: dict[tuple[str, int], list[float]] = {key: [] for key in rates}
    for _, callers in sides:
        await http_load.rate(callers, 1.0)
    for _ in range(options.rounds):
        for count in CALLERS:
            for (side, callers), (waiting, _) in zip(sides, reversed(sides), strict=True):
                with waiting.resting():
                    await http_load.rate(callers[:count], 0.3)
                    began = time.perf_counter()
                    answers = http_load.done(await http_load.closed_loop(callers[:count], options.turn_s))
                    rates[side.name, count].append(len(answers) / (time.perf_counter() - began))
                    medians[side.name, count].append(http_load.latency_ms(answers, 0.5))
    for _, callers in sides:
        for caller in callers:
            caller.close()
    rows: list[list[Cell]] = []
    for count in CALLERS:
        mine, other = rates[ours.name, count], rates[theirs.name, count]
        lags = [statistics.median(medians[side.name, count]) for side, _ in sides]
        middle = [statistics.median(mine), statistics.median(other), median_ratio(mine, other)]
        rows.append([theirs.name, count, *middle, *lags, apart])
    return rows
