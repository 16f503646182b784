"""The gateway, streams and each model on a Triton with a GPU, where there is one."""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from collections.abc import Iterator

import tritonclient.grpc as triton

from bench.speed import gateway, streams
from bench.speed.networks import picture_tensor
from bench.speed.report import Cell, Options, Table, percentile

BATCHES = (1, 8, 32)


def measure(options: Options) -> Iterator[Table]:
    address = os.environ.get("DEEPHAR_TRITON_URL", "")
    if shutil.which("nvidia-smi") is None:
        yield Table("GPU", ["no GPU found"], [])
    elif not address:
        yield Table("GPU", ["a GPU was found; DEEPHAR_TRITON_URL must name the Triton that uses it"], [])
    else:
        there = dataclasses.replace(options, triton=address)
        yield from gateway.measure(there)
        yield from streams.measure(there)
        yield each_model(address, options.seconds)


def each_model(address: str, seconds: float) -> Table:
    """Returns the milliseconds of one request to each network of pictures, by batch."""
    client = triton.InferenceServerClient(address)
    names = [model.name for model in client.get_model_repository_index().models if model.state == "READY"]
    rows: list[list[Cell]] = []
    for name in sorted(name for name in names if name == "person" or name.endswith("_frame")):
        times = [_median_ms(client, name, batch, seconds / len(BATCHES)) for batch in BATCHES]
        rows.append([name, *times])
    return Table("Each network, a request in milliseconds", ["", *(f"batch {batch}" for batch in BATCHES)], rows)


def _median_ms(client: triton.InferenceServerClient, network: str, batch: int, seconds: float) -> float:
    tensor = picture_tensor(client, network, batch)
    client.infer(network, [tensor])
    times: list[float] = []
    deadline = time.monotonic() + seconds
    while not times or time.monotonic() < deadline:
        began = time.perf_counter()
        client.infer(network, [tensor])
        times.append(1e3 * (time.perf_counter() - began))
    return percentile(times, 0.5)
