"""What a target answers, and how it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.datasets.samples import Box, Pixels
from models.evaluation.targets.model_card import ModelCard

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FrameOutput:
    """What a network says of one crop; N blocks, the last one is the network's result."""

    keypoints_crop: Floats  # (N, K, D) in 0..1
    scores: Floats  # (N, K)
    features: Floats | None = None  # (F,), of actions; None where the network knows none


@dataclass(frozen=True, eq=False)
class ClipOutput:
    """What a network says of one clip of T crops."""

    frames: list[FrameOutput]  # T
    scores: Floats  # (N, A); the last row is the network's result


class CropTarget(Protocol):
    """Takes the protocol's crops: torch, ONNX Runtime, Triton. Closed after use."""

    name: str  # "torch", "onnx", "triton"
    size: int  # side of the crops in pixels
    blocks: tuple[str, ...]  # names of the N blocks of poses
    action_blocks: tuple[str, ...]  # names of the N blocks of actions; empty where the network knows none
    clip_frames: int  # T; 0 where the network knows no actions
    card: ModelCard  # what the network is: joints, dimensions, labels
    sha256: str  # of the model's files
    software: dict[str, str]  # versions

    def poses(self, crops: Iterable[Pixels]) -> Iterator[FrameOutput]:
        """The outputs of crops (size, size, 3), in order. Draws crops as it needs them: a bounded number ahead."""
        ...

    def actions(self, clips: Iterable[NDArray[np.uint8]]) -> Iterator[ClipOutput]:
        """The outputs of clips (T, size, size, 3), in order. Each frame is computed once."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, eq=False)
class WholePicture:
    """A picture with the box of one person, for the gateway."""

    pixels: Pixels
    box: Box


@dataclass(frozen=True, eq=False)
class WholeClip:
    """A sequence of pictures with the box of one person in the first, for the gateway."""

    read: Callable[[], Iterator[Pixels]]  # the frames, in order
    fps: float
    box: Box


@dataclass(frozen=True, eq=False)
class ActionsOfClip:
    """The gateway's answer to a clip."""

    scores: Floats  # (A,), in the order of `labels`; zeros where there are none
    labels: tuple[str, ...]
    reason: str | None  # why there are no scores


@dataclass(frozen=True, eq=False)
class PosePx:
    """The gateway's answer: keypoints in pixels of the picture."""

    keypoints_px: NDArray[np.float64]  # (K, 2), or (K, 3) with the depth in mm relative to the root
    scores: Floats  # (K,)
    joints: tuple[str, ...]
