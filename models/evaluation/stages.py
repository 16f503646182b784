"""Where targets part: the same crops through several of them, compared at each stage of the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.datasets.samples import Pixels
from models.evaluation.targets.network_target import batches_of
from models.evaluation.targets.outputs import ClipOutput, CropTarget, Floats, FrameOutput

# In the order in which they are computed; an accuracy is lost in the first one that differs.
POSES, SCORES, FEATURES, ACTIONS = "poses", "keypoint scores", "action features", "action scores"
STAGES = (POSES, SCORES, FEATURES, ACTIONS)
TOLERANCE = 1e-4
BATCH = 8


@dataclass
class Difference:
    """How far the outputs of one stage are from the reference's, over all that was compared."""

    largest: float = 0.0
    total: float = 0.0
    count: int = 0

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    def add(self, found: Floats, reference: Floats) -> None:
        """Adds outputs. Those that may be large, such as features, count relative to the largest of them."""
        scale = max(1.0, float(np.abs(reference).max()))
        # NaN is as far away as can be.
        apart = np.nan_to_num(np.abs(found.astype(np.float64) - reference) / scale, nan=np.inf)
        self.largest = max(self.largest, float(apart.max()))
        self.total += float(apart.sum())
        self.count += apart.size


@dataclass
class Comparison:
    """One target beside the reference."""

    reference: str
    other: str
    stages: dict[str, Difference] = field(default_factory=dict)

    def parts_at(self, tolerance: float = TOLERANCE) -> str | None:
        """The first stage that differs; None where the targets agree."""
        return next((s for s in STAGES if s in self.stages and not self.stages[s].largest <= tolerance), None)

    def text(self, tolerance: float = TOLERANCE) -> str:
        """A line that says whether they agree, and where not."""
        stage = self.parts_at(tolerance)
        if stage is None:
            return f"{self.other} agrees with {self.reference} to {tolerance:g}"
        found = self.stages[stage]
        return (
            f"{self.other} parts from {self.reference} at the {stage}: by {found.largest:.1e} at most, "
            f"{found.mean:.1e} on average"
        )

    def add_frame(self, found: FrameOutput, reference: FrameOutput) -> None:
        self._add(POSES, found.keypoints_crop[-1], reference.keypoints_crop[-1])
        self._add(SCORES, found.scores[-1], reference.scores[-1])
        if found.features is not None and reference.features is not None:
            self._add(FEATURES, found.features, reference.features)

    def add_clip(self, found: ClipOutput, reference: ClipOutput) -> None:
        for frame, expected in zip(found.frames, reference.frames, strict=True):
            self.add_frame(frame, expected)
        self._add(ACTIONS, found.scores[-1], reference.scores[-1])

    def _add(self, stage: str, found: Floats, reference: Floats) -> None:
        self.stages.setdefault(stage, Difference()).add(found, reference)


class ComparedTarget:
    """A `CropTarget` that asks several targets the same, and answers what the first one says.

    Only last blocks are compared, since servers answer no others.

    Args:
        targets: By the names that comparisons call them; the first is the reference.
    """

    def __init__(self, targets: Mapping[str, CropTarget]) -> None:
        (name, reference), *others = targets.items()
        self._reference, self._others = reference, [target for _, target in others]
        self.comparisons = [Comparison(name, other) for other, _ in others]
        self.name, self.card, self.sha256 = reference.name, reference.card, reference.sha256
        self.size, self.clip_frames, self.software = reference.size, reference.clip_frames, reference.software
        self.blocks, self.action_blocks = reference.blocks, reference.action_blocks

    def poses(self, crops: Iterable[Pixels]) -> Iterator[FrameOutput]:
        for batch in batches_of(crops, BATCH):
            expected = list(self._reference.poses(batch))
            for other, comparison in zip(self._others, self.comparisons, strict=True):
                for found, reference in zip(other.poses(batch), expected, strict=True):
                    comparison.add_frame(found, reference)
            yield from expected

    def actions(self, clips: Iterable[NDArray[np.uint8]]) -> Iterator[ClipOutput]:
        for batch in batches_of(clips, 2):
            expected = list(self._reference.actions(batch))
            for other, comparison in zip(self._others, self.comparisons, strict=True):
                for found, reference in zip(other.actions(batch), expected, strict=True):
                    comparison.add_clip(found, reference)
            yield from expected

    def close(self) -> None:
        for target in (self._reference, *self._others):
            target.close()


def table(comparisons: Sequence[Comparison]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a table: a row for each stage, the largest and the mean difference of each target."""
    columns = ["stage"]
    for one in comparisons:
        columns += [f"{one.other}, largest", "mean"]
    rows = []
    for stage in STAGES:
        if any(stage in one.stages for one in comparisons):
            found = [one.stages.get(stage) for one in comparisons]
            rows.append([stage, *(text for each in found for text in _texts(each))])
    return columns, rows


def _texts(found: Difference | None) -> tuple[str, str]:
    return (f"{found.largest:.1e}", f"{found.mean:.1e}") if found else ("", "")
