"""A model's frame network: crops of a picture to keypoints, scores and action features."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.networks.flip import flip_averaged
from service.networks.model import Model
from service.networks.server import InferenceServer, Outputs, Tensors
from service.networks.tensors import ACTION_FEATURES, IMAGE, KEYPOINT_SCORES, KEYPOINTS
from service.telemetry.metrics import METRICS
from service.vision.crops import CropWindow, depth_from_root, to_picture
from service.vision.picture import Picture
from service.workers import Workers

Array = NDArray[np.float32]
Crops = NDArray[np.uint8]


class FrameOutput(NamedTuple):
    """Output of the frame network for N crops."""

    crop_windows: list[CropWindow]
    keypoints_px: Array  # (N, K, 2)
    depths_mm: Array | None  # (N, K) from the root joint's plane, where the model has depth
    scores: Array  # (N, K)
    features: Array | None  # (N, F), where the model knows actions
    version: str = ""  # of the network

    def person_scores(self) -> Array:
        """Returns the mean keypoint score of each crop (N,)."""
        mean: Array = self.scores.mean(axis=1)
        return mean

    def only(self, *indices: int) -> FrameOutput:
        """Returns the output of some of the crops."""
        some = list(indices)
        depths_mm = None if self.depths_mm is None else self.depths_mm[some]
        features = None if self.features is None else self.features[some]
        crop_windows = [self.crop_windows[index] for index in some]
        return FrameOutput(crop_windows, self.keypoints_px[some], depths_mm, self.scores[some], features, self.version)


def crops_of(picture: Picture, crop_windows: list[CropWindow], size: int) -> Crops:
    """Returns the crops (N, S, S, 3) of N windows of a picture; `size` is S. Blocks: it is work for a thread."""
    with METRICS.stage("crop").time():
        return np.stack([picture.crop(crop_window, size) for crop_window in crop_windows])


class FrameInference:
    """Runs the frame networks of all models."""

    def __init__(self, server: InferenceServer, workers: Workers) -> None:
        self._server, self._workers = server, workers

    async def run(
        self, model: Model, picture: Picture, crop_windows: list[CropWindow], flip: bool = False
    ) -> FrameOutput:
        """Returns the output for crops of a picture, in batches of at most the model's size.

        Args:
            model: The model whose frame network is run.
            picture: Decoded.
            crop_windows: The windows of the crops, in pixels of the picture.
            flip: Whether the output is averaged with that for the mirrored crops.

        Raises:
            Unavailable, DeadlineExceeded, Overloaded: The network did not answer.
        """
        crops = await self._workers.run(crops_of, picture, crop_windows, model.card.crop.size)
        return await self.run_on(model, crops, crop_windows, flip)

    async def run_on(
        self, model: Model, crops: Crops, crop_windows: list[CropWindow], flip: bool = False
    ) -> FrameOutput:
        """Returns the output for crops (N, S, S, 3) that were made by `crops_of`. Otherwise as `run`."""
        tensors = await self._in_batches(model, {IMAGE: crops})
        if flip:
            mirrored = await self._in_batches(model, {IMAGE: crops[:, :, ::-1]})
            tensors |= flip_averaged(tensors, mirrored, model.layout, model.card.crop.size)
        keypoints_crop = tensors[KEYPOINTS]  # (N, K, D)
        keypoints_px = np.stack(
            [
                to_picture(points[:, :2], crop_window)
                for points, crop_window in zip(keypoints_crop, crop_windows, strict=True)
            ]
        )
        scale_mm = model.card.depth_scale_mm
        depths_mm = depth_from_root(keypoints_crop[..., 2], scale_mm) if scale_mm is not None else None
        return FrameOutput(
            crop_windows,
            keypoints_px,
            depths_mm,
            tensors[KEYPOINT_SCORES],
            tensors.get(ACTION_FEATURES),
            tensors.version,
        )

    async def _in_batches(self, model: Model, tensors: Tensors) -> Outputs:
        count, largest = len(next(iter(tensors.values()))), model.max_batch
        parts = [{name: a[i : i + largest] for name, a in tensors.items()} for i in range(0, count, largest)]
        if len(parts) == 1:
            return await self._server.infer(model.frame_network, parts[0], model.version)
        answers = await asyncio.gather(
            *(self._server.infer(model.frame_network, part, model.version) for part in parts)
        )
        outputs = Outputs({name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]})
        outputs.version = "+".join(sorted({answer.version for answer in answers}))
        return outputs
