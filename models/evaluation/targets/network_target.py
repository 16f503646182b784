"""What torch, ONNX Runtime and Triton have in common as targets: crops in batches, clips by their frames' features."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.datasets.samples import Pixels
from models.evaluation.targets.model_card import ModelCard
from models.evaluation.targets.outputs import ClipOutput, Floats, FrameOutput
from models.evaluation.targets.problem import TargetProblem

T = TypeVar("T")


class FrameBatch(NamedTuple):
    """The outputs of B crops."""

    keypoints: Floats  # (B, N, K, D)
    scores: Floats  # (B, N, K)
    features: Floats | None  # (B, F)


class Networks(Protocol):
    """A model's frame network and, where it knows actions, its clip network. Answers come in the order of batches."""

    def frames(self, batches: Iterable[Sequence[Pixels]]) -> Iterator[FrameBatch]: ...

    def clips(self, batches: Iterable[Floats]) -> Iterator[Floats]:
        """Action features (B, T, F) to scores (B, N, A)."""
        ...

    def close(self) -> None: ...


class NetworkTarget:
    """A `CropTarget` of networks that run somewhere.

    Args:
        name: Of the target.
        networks: Closed with it.
        card: What they are.
        blocks: Names of the N blocks of poses that they answer.
        action_blocks: Names of the N blocks of actions.
        sha256: Of the model's files.
        software: Versions of what runs them.
        batch: Crops that are computed at a time.
    """

    def __init__(
        self,
        name: str,
        networks: Networks,
        card: ModelCard,
        blocks: tuple[str, ...],
        action_blocks: tuple[str, ...],
        sha256: str,
        software: dict[str, str],
        batch: int,
    ) -> None:
        self.name, self.card, self.sha256, self.software = name, card, sha256, software
        self.blocks, self.action_blocks = blocks, action_blocks
        self.size, self.clip_frames = card.size, card.clip_frames
        self._networks, self._batch = networks, batch

    def poses(self, crops: Iterable[Pixels]) -> Iterator[FrameOutput]:
        for batch in self._networks.frames(batches_of(map(self._checked, crops), self._batch)):
            for index in range(len(batch.keypoints)):
                features = None if batch.features is None else batch.features[index]
                yield FrameOutput(batch.keypoints[index], batch.scores[index], features)

    def actions(self, clips: Iterable[NDArray[np.uint8]]) -> Iterator[ClipOutput]:
        if not self.clip_frames:
            raise TargetProblem(f"{self.card.model} knows no actions; choose a model with a clip network")
        waiting: deque[list[FrameOutput]] = deque()  # their actions are being computed

        def features() -> Iterator[Floats]:
            of_crops = self.poses(chain.from_iterable(map(self._checked_clip, clips)))
            while frames := list(islice(of_crops, self.clip_frames)):
                waiting.append(frames)
                yield np.stack([_features(frame) for frame in frames])

        for batch in self._networks.clips(map(np.stack, batches_of(features(), max(1, self._batch // 2)))):
            for scores in batch:
                yield ClipOutput(waiting.popleft(), scores)

    def close(self) -> None:
        self._networks.close()

    def _checked(self, crop: Pixels) -> Pixels:
        if crop.shape != (self.size, self.size, 3) or crop.dtype != np.uint8:
            raise ValueError(f"a crop is ({self.size}, {self.size}, 3) of uint8, not {crop.shape} of {crop.dtype}")
        return crop

    def _checked_clip(self, clip: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if len(clip) != self.clip_frames:
            raise ValueError(f"a clip of {self.card.model} has {self.clip_frames} crops, not {len(clip)}")
        return clip


def batches_of(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items, `size` at a time."""
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


def _features(frame: FrameOutput) -> Floats:
    assert frame.features is not None  # a network with a clip network gives them
    return frame.features
