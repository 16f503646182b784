"""A network as a model of Triton's repository: the ONNX file and its configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import Tensor, nn

from models.export import onnx_file, triton_config
from models.export.triton_config import Tensor as Declared


def write(
    folder: Path,
    network: nn.Module,
    inputs_of: Callable[[int], tuple[Tensor, ...]],
    inputs: dict[str, Declared],
    outputs: dict[str, Declared],
    card_of: Callable[[str], dict[str, object]] | None = None,
    half: bool = True,
) -> None:
    """Writes a network into its folder of the repository.

    Args:
        folder: Its name is the Triton model's.
        network: In evaluation mode.
        inputs_of: Random inputs for a batch size, to check the ONNX file with.
        inputs: Type and shape of each input, without the batch.
        outputs: Likewise.
        card_of: The card, from the SHA-256 of the ONNX file.
        half: Whether weights are stored as fp16.
    """
    file = folder / "1" / "model.onnx"
    sha256 = onnx_file.export(network, inputs_of, tuple(inputs), tuple(outputs), file, half)
    triton_config.write(folder, inputs, outputs, triton_config.MAX_BATCH, card_of(sha256) if card_of else None)
