"""The clip network of a model: windows of sampled frames to action scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.networks.model import Model
from service.networks.server import InferenceServer
from service.networks.tensors import ACTION_FEATURES, ACTION_SCORES, CROP_BOXES
from service.video.windows import Window


class ClipInference:
    """Runs the clip networks of all models."""

    def __init__(self, server: InferenceServer) -> None:
        self._server = server

    async def run(self, model: Model, windows: list[Window]) -> NDArray[np.float32] | None:
        """Returns the action scores of windows, from one batch; None where it has another version than their features.

        The two networks of a model have the same version, but while it is replaced by a new one.

        Args:
            model: A model with a clip network.
            windows: N windows of the model's length, at most `model.clip_max_batch`, of the same version.

        Returns:
            Scores (N, A) in the order of the card's labels. Their sum is 1 minus the score of the background class.

        Raises:
            Unavailable, DeadlineExceeded, Overloaded: Triton did not answer.
        """
        tensors = {ACTION_FEATURES: np.concatenate([window.features() for window in windows])}
        if model.clip_takes_crops:
            tensors[CROP_BOXES] = np.concatenate([window.crop_boxes() for window in windows])
        are_in_step, version = model.version == model.clip_version, windows[0].version
        answer = await self._server.infer(model.clip_network, tensors, version if are_in_step else model.clip_version)
        if are_in_step and answer.version != version:
            return None
        scores: NDArray[np.float32] = answer[ACTION_SCORES]
        return scores
