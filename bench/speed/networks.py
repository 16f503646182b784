"""Frames a second of each frame network in a repository: the embedded Triton against ONNX Runtime on the processor.

    make bench

Both run the same file in turns, on pictures in batches of eight; ONNX Runtime in fp32, Triton as the service decides
(bf16 where the processor computes in it), with two requests in flight, as callers do. Ratios hold on a shared machine
better than the times themselves.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton

from service.testing.running import running_service

BATCH, REQUESTS, ROUNDS = 8, 4, 4

# Runs where onnxruntime is: says "ready", then the seconds of one batch for every line it reads.
_OTHER_SIDE = """
import sys, time, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
shape = (int(sys.argv[2]), *session.get_inputs()[0].shape[1:])
pictures = numpy.random.default_rng(0).integers(0, 256, shape, numpy.uint8)
session.run(None, {"image": pictures})
print("ready", flush=True)
for _ in sys.stdin:
    began = time.perf_counter()
    session.run(None, {"image": pictures})
    print(time.perf_counter() - began, flush=True)
"""


def measure(client: triton.InferenceServerClient, folder: Path, python: str) -> tuple[float, float]:
    """Milliseconds a frame of Triton and of ONNX Runtime, the best of some rounds taken in turns."""
    (image,) = client.get_model_config(folder.name).config.input
    pictures = np.random.default_rng(0).integers(0, 256, (BATCH, *image.dims), np.uint8)
    tensor = triton.InferInput("image", list(pictures.shape), "UINT8")
    tensor.set_data_from_numpy(pictures)

    def ask_triton() -> None:
        for _ in pool.map(lambda _: client.infer(folder.name, [tensor]), range(REQUESTS)):
            pass

    ours, theirs = [], []
    with (
        ThreadPoolExecutor(2) as pool,
        subprocess.Popen(
            [python, "-c", _OTHER_SIDE, str(folder / "1" / "model.onnx"), str(BATCH)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as other,
    ):
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        ask_triton()  # batches that Triton puts together are prepared once for each size
        for _ in range(ROUNDS):
            began = time.perf_counter()
            ask_triton()
            ours.append((time.perf_counter() - began) / REQUESTS)
            print(file=other.stdin, flush=True)
            theirs.append(float(other.stdout.readline()))
        other.stdin.close()
    return 1e3 * min(ours) / BATCH, 1e3 * min(theirs) / BATCH


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--onnxruntime", required=True, help="a Python that has onnxruntime")
    arguments = parser.parse_args()
    print(f"{'frame network, batch 8':24} {'Triton':>10} {'ONNX Runtime':>14} {'frames/s':>9} {'ratio':>6}")
    with running_service(model_repository=str(arguments.repository)) as service:
        client = triton.InferenceServerClient(service.triton_address())
        for folder in sorted(arguments.repository.glob("*_frame")):
            ours, theirs = measure(client, folder, arguments.onnxruntime)
            name = folder.name.removesuffix("_frame")
            print(f"{name:24} {ours:7.1f} ms {theirs:11.1f} ms {1e3 / ours:9.1f} {theirs / ours:6.2f}", flush=True)


if __name__ == "__main__":
    main()
