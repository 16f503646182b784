"""Single networks of a running service's Triton, to be measured on what the service itself does not send them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tritonclient.grpc as triton
from numpy.typing import NDArray

from models.lite.person.evaluate import Detect, detector
from service.networks.card import PersonCard
from service.networks.model import PERSON_NETWORK
from service.networks.tensors import ACTION_FEATURES, ACTION_SCORES, BOX_SCORES, BOXES, CROP_BOXES, IMAGE

Array = NDArray[Any]
BATCH = 32
TYPES = {np.dtype(np.uint8): "UINT8", np.dtype(np.float32): "FP32"}


class ServedNetworks:
    def __init__(self, address: str) -> None:
        self._server = triton.InferenceServerClient(address)

    def run(self, network: str, tensors: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        """The wanted outputs for tensors of one batch size."""
        count, parts = len(next(iter(tensors.values()))), []
        for start in range(0, count, BATCH):
            inputs = []
            for name, array in tensors.items():
                part = np.ascontiguousarray(array[start : start + BATCH])
                tensor = triton.InferInput(name, list(part.shape), TYPES[part.dtype])
                tensor.set_data_from_numpy(part)
                inputs.append(tensor)
            answer = self._server.infer(network, inputs)
            parts.append([answer.as_numpy(name) for name in outputs])
        return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]

    def scores_of(self, features: Array, boxes: Array) -> Array:
        """The clip network: (N, T, 48), (N, T, 4) to (N, 15)."""
        return self.run("lite_clip", {ACTION_FEATURES: features, CROP_BOXES: boxes}, [ACTION_SCORES])[0]

    def detector(self) -> Detect:
        """The person detector with boxes of all scores, which the service cuts at its threshold."""
        config = self._server.get_model_config(PERSON_NETWORK, as_json=False).config
        card = PersonCard.model_validate_json(config.parameters["card"].string_value)
        return detector(
            lambda image: self.run(PERSON_NETWORK, {IMAGE: image}, [BOXES, BOX_SCORES]), card.size, card.overlap
        )
