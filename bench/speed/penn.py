"""Decisions a second of deephar's `penn` in a stream, beside recomputing its eight frames for each decision."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import tritonclient.grpc as triton

from bench.speed.networks import picture_tensor
from bench.speed.onnxruntime_side import onnxruntime_with
from bench.speed.report import Cell, Options, Table, median_ratio
from service.testing.running import ServiceProcess

FRAME, CLIP, WINDOW = "penn_frame", "penn_clip", 8
NETWORKS = (FRAME, CLIP, "lite_frame", "lite_clip", "person")


def measure(options: Options) -> Iterator[Table]:
    if not (options.made / FRAME).is_dir():
        raise RuntimeError(f"{options.made / FRAME} is missing; make bench makes it")
    with (
        _repository(options.made) as repository,
        options.service(model_repository=str(repository)) as service,
        onnxruntime_with(WINDOW, options.made / FRAME, options.made / CLIP) as other,
    ):
        yield _measure(service, other.seconds, options)


@contextmanager
def _repository(made: Path) -> Iterator[Path]:
    """Yields a repository of the networks that are needed, since the others take a minute to load."""
    with tempfile.TemporaryDirectory() as folder:
        for name in NETWORKS:
            (Path(folder) / name).symlink_to(made / name)
        yield Path(folder)


def _measure(service: ServiceProcess, by_onnxruntime: Callable[[], float], options: Options) -> Table:
    client = triton.InferenceServerClient(service.triton_address())
    one, eight = (picture_tensor(client, FRAME, count) for count in (1, WINDOW))
    features = client.infer(FRAME, [eight]).as_numpy("action_features")
    window = triton.InferInput("action_features", [1, *features.shape], "FP32")
    window.set_data_from_numpy(features[None])

    def decide(pictures: triton.InferInput) -> float:
        began = time.perf_counter()
        client.infer(FRAME, [pictures])
        client.infer(CLIP, [window])
        return time.perf_counter() - began

    sides: dict[str, Callable[[], float]] = {
        "Triton, in a stream: one frame and the clip": lambda: decide(one),
        "Triton, recomputing: eight frames in a batch and the clip": lambda: decide(eight),
        "ONNX Runtime fp32, recomputing": by_onnxruntime,
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    stream = next(iter(times))
    for side in sides.values():
        side()
    deadline, rounds = time.monotonic() + 3 * options.seconds, 0
    while rounds < 3 or time.monotonic() < deadline:
        for name, side in sides.items():
            times[name].append(side())
        rounds += 1
    rows: list[list[Cell]] = [
        [name, 1 / statistics.median(times[name]), median_ratio(times[name], times[stream])] for name in times
    ]
    title = f"Decisions a second of penn, whose window has {WINDOW} frames; hop of one sample"
    notes = [f"Medians of {rounds} rounds in turns. Made weights; speed does not depend on them."]
    return Table(title, ["", "decisions/s", "in a stream / this"], rows, notes)
