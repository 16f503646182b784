"""Exports torch networks to ONNX with a dynamic batch and checks them in ONNX Runtime."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from models.export.onnx_graph import forget_origins, store_as_fp16
from models.files.checksums import sha256_of

OPSET = 18
TOLERANCE = 1e-4  # of the graph, with the weights as they are
FP16_TOLERANCE = 5e-3  # of the file, with its weights rounded


class DiffersFromTorch(Exception):
    """The graph does not compute what the network computes."""


def export(
    network: nn.Module,
    inputs_of: Callable[[int], tuple[Tensor, ...]],
    input_names: Sequence[str],
    output_names: Sequence[str],
    file: Path,
    half: bool = True,
) -> str:
    """Writes an ONNX file that ONNX Runtime computes as torch does.

    Args:
        network: In evaluation mode.
        inputs_of: Random inputs for a batch size.
        input_names: As many as there are inputs.
        output_names: As many as there are outputs.
        file: Written after the checks.
        half: Whether weights are stored as fp16. They are computed with in fp32.

    Returns:
        The file's SHA-256.

    Raises:
        DiffersFromTorch: The difference is greater than the tolerance.
    """
    batch = torch.export.Dim("batch", min=1, max=1024)
    example = inputs_of(3)
    with _quietly():
        program = torch.onnx.export(
            network,
            example,
            input_names=list(input_names),
            output_names=list(output_names),
            dynamic_shapes=tuple({0: batch} for _ in example),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    forget_origins(model)
    check(model, network, inputs_of, output_names, TOLERANCE)
    if half:
        store_as_fp16(model)
        check(model, network, inputs_of, output_names, FP16_TOLERANCE)
    onnx.checker.check_model(model, full_check=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, file)
    return sha256_of(file)


@contextmanager
def _quietly() -> Iterator[None]:
    """Silences the exporter's warnings, which are for torch's developers."""
    noisy = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = noisy.level
    noisy.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        noisy.setLevel(level)


def check(
    model: onnx.ModelProto,
    network: nn.Module,
    inputs_of: Callable[[int], tuple[Tensor, ...]],
    output_names: Sequence[str],
    tolerance: float,
) -> None:
    """Compares ONNX Runtime with torch on random inputs of two batch sizes."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch in (1, 5):
        inputs = inputs_of(batch)
        feed = {i.name: tensor.numpy() for i, tensor in zip(session.get_inputs(), inputs, strict=True)}
        with torch.no_grad():
            expected = network(*inputs)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for name, theirs, ours in zip(output_names, session.run(list(output_names), feed), expected, strict=True):
            # Relative to the largest value: features may be large.
            scale = max(1.0, float(ours.abs().max()))
            difference = float(np.abs(theirs - ours.numpy()).max()) / scale
            if not difference <= tolerance:
                raise DiffersFromTorch(f"{name} differs from torch by {difference:.2e} at batch {batch}")
