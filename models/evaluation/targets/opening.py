"""Opens a target by its name on the command line."""

from __future__ import annotations

from pathlib import Path

from models.evaluation.targets.outputs import CropTarget


def open_target(kind: str, model: str, *, repository: Path, cache: Path, batch: int = 8) -> CropTarget:
    """The target that `--target` names, to be closed after use.

    Args:
        kind: `torch` (imported weights, every block), `onnx` (the model repository's files in ONNX Runtime), or
            HOST:PORT of a Triton's gRPC (which also takes `localhost:8001` of this machine).
        model: As the service calls it; a cut network as `penn@14`.
        repository: The model repository, for `onnx`.
        cache: The folder that imported weights are kept in, for `torch`.
        batch: Crops that are computed at a time.

    Raises:
        TargetProblem: The model is missing, or the target does not answer.
    """
    match kind:
        case "torch":
            from models.evaluation.targets.torch_network import open_torch

            return open_torch(model, cache, batch)
        case "onnx":
            from models.evaluation.targets.onnx_network import open_onnx

            return open_onnx(model, repository, batch)
    from models.evaluation.targets.triton_network import open_triton

    return open_triton(model, kind, batch)
