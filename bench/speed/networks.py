"""Milliseconds a frame of each frame network: the embedded Triton against ONNX Runtime on the processor.

Both run the same file in turns, in batches of eight; ONNX Runtime in fp32, Triton as the service decides (bf16 where
the processor computes in it), with two requests in flight, as callers do.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton

from bench.speed.onnxruntime_side import onnxruntime_with
from bench.speed.report import Cell, Options, Table

BATCH, REQUESTS, ROUNDS = 8, 4, 4


def measure(options: Options) -> Iterator[Table]:
    if not options.made.is_dir():
        raise RuntimeError(f"{options.made} is missing; make bench makes it")
    rows: list[list[Cell]] = []
    with options.service(model_repository=str(options.made)) as service:
        client = triton.InferenceServerClient(service.triton_address())
        for folder in sorted(options.made.glob("*_frame")):
            ours, theirs = _measure(client, folder)
            rows.append([folder.name.removesuffix("_frame"), ours, theirs, 1e3 / ours, theirs / ours])
    columns = ["", "Triton ms", "ONNX Runtime ms", "Triton frames/s", "ratio"]
    notes = [f"Medians of {ROUNDS} rounds. Networks but lite's have made weights; speed does not depend on them."]
    yield Table(f"Each frame network, a frame in batches of {BATCH}", columns, rows, notes)


def _measure(client: triton.InferenceServerClient, folder: Path) -> tuple[float, float]:
    """Returns the milliseconds a frame of Triton and of ONNX Runtime."""
    tensor = picture_tensor(client, folder.name, BATCH)

    def ask_triton() -> float:
        began = time.perf_counter()
        for _ in pool.map(lambda _: client.infer(folder.name, [tensor]), range(REQUESTS)):
            pass
        return (time.perf_counter() - began) / REQUESTS

    ours, theirs = [], []
    with ThreadPoolExecutor(2) as pool, onnxruntime_with(BATCH, folder) as other:
        ask_triton()  # batches that Triton puts together are prepared once for each size
        for _ in range(ROUNDS):
            ours.append(ask_triton())
            theirs.append(other.seconds())
    return 1e3 * statistics.median(ours) / BATCH, 1e3 * statistics.median(theirs) / BATCH


def picture_tensor(client: triton.InferenceServerClient, network: str, batch: int) -> triton.InferInput:
    """Returns pictures of noise as the network's input."""
    (image,) = client.get_model_config(network).config.input
    pictures = np.random.default_rng(0).integers(0, 256, (batch, *image.dims), np.uint8)
    tensor = triton.InferInput("image", list(pictures.shape), "UINT8")
    tensor.set_data_from_numpy(pictures)
    return tensor
