"""A target whose networks answer what is prepared: one answer a crop, in the order of the crops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from models.datasets.samples import Pixels
from models.evaluation.targets.model_card import ModelCard
from models.evaluation.targets.network_target import FrameBatch, NetworkTarget
from models.evaluation.targets.outputs import Floats

SIZE = 32


class MadeNetworks:
    """Networks that answer prepared poses (N, K, D) of crops and prepared scores (N, A) of clips."""

    def __init__(self, poses: Sequence[NDArray[np.float64]], scores: Sequence[NDArray[np.float64]]) -> None:
        self._poses, self._scores = iter(poses), iter(scores)

    def frames(self, batches: Iterable[Sequence[Pixels]]) -> Iterator[FrameBatch]:
        for batch in batches:
            poses = np.stack([next(self._poses) for _ in batch]).astype(np.float32)
            yield FrameBatch(poses, np.ones(poses.shape[:3], np.float32), np.zeros((len(batch), 1), np.float32))

    def clips(self, batches: Iterable[Floats]) -> Iterator[Floats]:
        for batch in batches:
            yield np.stack([next(self._scores) for _ in batch]).astype(np.float32)

    def close(self) -> None: ...


def made_target(
    joints: Sequence[str],
    poses: Sequence[NDArray[np.float64]],
    scores: Sequence[NDArray[np.float64]] = (),
    labels: Sequence[str] = (),
    clip_frames: int = 0,
    model: str = "made",
) -> NetworkTarget:
    """The target, with as many blocks as the answers have."""
    blocks = tuple(f"block{number}" for number in range(1, len(poses[0]) + 1))
    action_blocks = tuple(f"action{number}" for number in range(1, len(scores[0]) + 1)) if len(scores) else ()
    card = ModelCard(model, tuple(joints), poses[0].shape[-1], SIZE, 1.25, clip_frames, 0.1, tuple(labels))
    return NetworkTarget("made", MadeNetworks(poses, scores), card, blocks, action_blocks, "0" * 64, {}, 4)
