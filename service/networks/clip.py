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

    async def run(self, model: Model, windows: list[Window]) -> NDArray[np.float32]:
        """Returns the action scores of windows, from one batch.

        Args:
            model: A model with a clip network.
            windows: N windows of the model's length, at most `model.clip_max_batch`.

        Returns:
            Scores (N, A) in the order of the card's labels. Their sum is 1 minus the score of the background class.

        Raises:
            Unavailable, DeadlineExceeded, Overloaded: Triton did not answer.
        """
        tensors = {ACTION_FEATURES: np.concatenate([window.features() for window in windows])}
        if model.clip_takes_crops:
            tensors[CROP_BOXES] = np.concatenate([window.crop_boxes() for window in windows])
        answer = await self._server.infer(model.clip_network, tensors)
        scores: NDArray[np.float32] = answer[ACTION_SCORES]
        return scores
