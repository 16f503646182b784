"""The clip network of `lite`, read back from the model repository: what the training starts from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from google.protobuf import text_format
from onnx import numpy_helper
from torch import nn
from tritonclient.grpc.model_config_pb2 import ModelConfig

from models.lite.clip.network import ClipNetwork, ServedClip
from models.lite.layout import FEATURES_PER_FRAME, NUM_FRAMES
from models.own_actions.asking import BASE
from models.own_actions.problem import CannotTrain
from service.networks.tensors import ACTION_FEATURES, ACTION_SCORES, CROP_BOXES

SAME = 1e-4  # difference of scores, from the order of sums


def clip_network(repository: Path) -> ClipNetwork:
    """Returns lite's clip network with the weights in the repository, in evaluation mode.

    Raises:
        CannotTrain: The repository has no such network, or another one than this checkout's.
    """
    file = repository / f"{BASE}_clip" / "1" / "model.onnx"
    if not file.is_file():
        raise CannotTrain(f"{repository} has no model {BASE}, whose networks are used; give another --repository")
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(file).graph.initializer}
    network = ClipNetwork()
    try:
        _fill(network, values)
    except (KeyError, RuntimeError) as error:
        raise CannotTrain(f"{file} is not the clip network of this checkout: {error}") from None
    network.eval()
    difference = _difference(file, network)
    if not difference <= SAME:
        raise CannotTrain(f"{file} computes something else than the network of this checkout: {difference:.1e}")
    return network


def card(repository: Path) -> dict[str, Any]:
    """Returns the card of `lite` in the repository. Raises `CannotTrain` where there is none."""
    file = repository / f"{BASE}_frame" / "config.pbtxt"
    if not file.is_file():
        raise CannotTrain(f"{repository} has no model {BASE}, whose networks are used; give another --repository")
    config = text_format.Parse(file.read_text(), ModelConfig(), allow_unknown_field=True)
    found: dict[str, Any] = json.loads(config.parameters["card"].string_value)
    return found


def _fill(network: ClipNetwork, values: dict[str, np.ndarray[Any, Any]]) -> None:
    """Fills in the weights. The file has each normalisation folded into the convolution before it."""
    stored = {name.removesuffix("_fp16"): torch.tensor(value.astype(np.float32)) for name, value in values.items()}
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv1d):
                module.weight.copy_(stored[f"network.{name}.weight"])
                place, _, number = name.rpartition(".")
                after = network.get_submodule(f"{place}.{int(number) + 1}")
                assert isinstance(after, nn.BatchNorm1d)
                assert after.running_mean is not None
                assert after.running_var is not None
                after.running_mean.zero_()
                after.running_var.fill_(1.0 - after.eps)
                after.bias.copy_(stored[f"network.{name}.weight_bias"])
        network.classify.weight.copy_(stored["network.classify.weight"])
        network.classify.bias.copy_(stored["network.classify.bias"])


def _difference(file: Path, network: ClipNetwork) -> float:
    """Returns the largest difference of scores between ONNX Runtime and torch, on random windows."""
    rng = np.random.default_rng(0)
    features = rng.random((8, NUM_FRAMES, FEATURES_PER_FRAME), np.float32)
    corners = rng.random((8, NUM_FRAMES, 2), np.float32) * 100
    boxes = np.concatenate([corners, np.full_like(corners, 200)], axis=-1)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (theirs,) = session.run([ACTION_SCORES], {ACTION_FEATURES: features, CROP_BOXES: boxes})
    with torch.no_grad():
        ours = ServedClip(network)(torch.from_numpy(features), torch.from_numpy(boxes)).numpy()
    return float(np.abs(theirs - ours).max())
