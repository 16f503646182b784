"""`deephar-models evaluate` through a Triton on this machine, beside what that Triton does at most.

1,000 people of a made MPII in pictures of 1280 x 720. The command reads, cuts and sends them in an environment and a
process of its own; each round evaluates some more, and measures Triton with ready crops before and after.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tritonclient.grpc as triton

from bench.speed.networks import picture_tensor
from bench.speed.processes import SERVER, peak_mb, service_cpu_ms, service_pids
from bench.speed.report import Cell, Options, Table
from service.testing.running import ROOT, ServiceProcess

MODELS = ("mpii", "lite")
PEOPLE, ROUNDS = 1_000, 4
BATCH, UNDER_WAY = 8, 2  # as in the section `networks`
NETWORKS = ("mpii_frame", "lite_frame", "lite_clip", "person")
PYTHON = ROOT / ".venv-models" / "bin" / "python"
# A few drawn pictures under many names, of one person each.
_MADE = """
import sys
from dataclasses import replace
from pathlib import Path
from tests.models.datasets import made_mpii
drawn = [each for each in made_mpii.drawn_pictures("1", 48, 1, (1280, 720)) if len(each.people) == 1]
count = int(sys.argv[2])
val = [replace(drawn[at % len(drawn)], name=f"{at:09d}.jpg", listed=[0]) for at in range(count)]
made_mpii.write(Path(sys.argv[1]), drawn[:1], val)
"""


@dataclass
class _Round:
    evaluated: float  # people a second
    alone: float  # crops a second of Triton with ready ones
    client_cores: float
    server_cores: float


def measure(options: Options) -> Iterator[Table]:
    if not (options.made / NETWORKS[0]).is_dir():
        raise RuntimeError(f"{options.made / NETWORKS[0]} is missing; make bench makes it")
    rows: list[list[Cell]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        _repository(options.made) as repository,
        options.service(model_repository=str(repository)) as service,
    ):
        data = Path(folder) / "mpii"
        subprocess.run([PYTHON, "-c", _MADE, data, str(PEOPLE)], cwd=ROOT, check=True)
        for model in MODELS:
            found, memory_mb = _evaluate(service, model, data, Path(folder) / model, options.turn_s)
            ratios = [each.evaluated / each.alone for each in found]
            medians = [
                statistics.median(getattr(each, name) for each in found)
                for name in ("evaluated", "alone", "client_cores", "server_cores")
            ]
            evaluated, alone, client, server = medians
            rows.append([model, evaluated, alone, statistics.median(ratios), client, server, memory_mb])
    columns = ["", "people/s", "Triton alone", "ratio", "client, cores", "Triton, cores", "peak MB, both"]
    notes = [
        f"Medians of {ROUNDS} rounds of {PEOPLE // ROUNDS} people; Triton alone, before and after each, is sent",
        f"batches of {BATCH} ready crops, {UNDER_WAY} at a time. mpii has made weights.",
        "The cores of the client include its start.",
    ]
    title = f"Evaluating {PEOPLE:,} people: deephar-models evaluate mpii --target HOST:PORT"
    yield Table(title, columns, rows, notes)


@contextmanager
def _repository(made: Path) -> Iterator[Path]:
    """Yields a repository of the networks that are needed, since the others take a minute to load."""
    with tempfile.TemporaryDirectory() as folder:
        for name in NETWORKS:
            (Path(folder) / name).symlink_to(made / name)
        yield Path(folder)


def _evaluate(service: ServiceProcess, model: str, data: Path, out: Path, seconds: float) -> tuple[list[_Round], float]:
    """Returns the rounds, and the peak memory of Triton and the command together."""
    address = service.triton_address()
    client = triton.InferenceServerClient(address)
    tensor = picture_tensor(client, f"{model}_frame", BATCH)

    def alone() -> float:
        until, count, began = time.perf_counter() + seconds, 0, time.perf_counter()
        with ThreadPoolExecutor(UNDER_WAY) as pool:

            def ask(_: int) -> int:
                asked = 0
                while time.perf_counter() < until:
                    client.infer(f"{model}_frame", [tensor])
                    asked += BATCH
                return asked

            count = sum(pool.map(ask, range(UNDER_WAY)))
        return count / (time.perf_counter() - began)

    alone()
    rounds: list[_Round] = []
    done: dict[str, Any] = {"samples": 0, "seconds": 0.0}
    client_mb = 0.0
    before = alone()
    for number in range(1, ROUNDS + 1):
        at_server = service_cpu_ms(service)[SERVER]
        used, peak = _command(model, data, address, out, PEOPLE * number // ROUNDS)
        at_server = service_cpu_ms(service)[SERVER] - at_server
        client_mb = max(client_mb, peak)
        record = json.loads((out / "record.json").read_text())
        people, took = record["samples"] - done["samples"], record["seconds"] - done["seconds"]
        done, after = record, alone()
        rounds.append(_Round(people / took, (before + after) / 2, used / took, at_server / 1e3 / took))
        before = after
    return rounds, client_mb + sum(peak_mb(pid) for pid in service_pids(service)[SERVER])


def _command(model: str, data: Path, address: str, out: Path, limit: int) -> tuple[float, float]:
    """Evaluates `limit` people. Returns the CPU time in seconds and the peak memory."""
    arguments = ["evaluate", "mpii", "--model", model, "--data", data, "--target", address, "--out", out]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(
        [PYTHON, "-m", "models.cli", *map(str, arguments), "--limit", str(limit)],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, after.ru_maxrss / 1024
