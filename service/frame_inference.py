"""Runs a model's frame network on square windows of a picture."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.catalogue import Model
from service.geometry import Image, Square, crop, depth_from_root, to_picture
from service.triton.client import TritonClient
from service.workers import Workers

Array = NDArray[np.float32]


class FrameOutput(NamedTuple):
    """What the frame network says of N windows."""

    squares: list[Square]
    keypoints_px: Array  # (N, K, 2)
    depths_mm: Array | None  # (N, K) from the root joint's plane, where the model has three dimensions
    scores: Array  # (N, K)
    features: Array | None  # (N, F), where the model knows actions

    def person_scores(self) -> Array:
        """How sure the network is of a person in each window (N,)."""
        mean: Array = self.scores.mean(axis=1)
        return mean


class FrameInference:
    def __init__(self, triton: TritonClient, workers: Workers) -> None:
        self._triton, self._workers = triton, workers

    async def run(self, model: Model, image: Image, squares: list[Square]) -> FrameOutput:
        size = model.card.crop.size
        crops = await self._workers.run(lambda: np.stack([crop(image, square, size) for square in squares]))
        step = model.max_batch
        answers = await asyncio.gather(
            *(
                self._triton.infer(model.frame_network, {"image": crops[start : start + step]})
                for start in range(0, len(crops), step)
            )
        )
        tensors = {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}
        keypoints_crop = tensors["keypoints"]  # (N, K, D)
        keypoints_px = np.stack(
            [to_picture(points[:, :2], square) for points, square in zip(keypoints_crop, squares, strict=True)]
        )
        scale_mm = model.card.depth_scale_mm
        depths_mm = depth_from_root(keypoints_crop[..., 2], scale_mm) if scale_mm is not None else None
        return FrameOutput(squares, keypoints_px, depths_mm, tensors["keypoint_scores"], tensors.get("action_features"))
