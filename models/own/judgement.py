"""Where the joints of the person in the sample landed, and whether they can be right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.own.sample import Sample
from service.vision.boxes import Box

NEAR = 0.1  # of the longer side of the person's box
LOW_SCORE = 0.2
WIDER = 0.15  # of the box, within which joints are plausible
ABOVE = (("shoulder", "hip"), ("hip", "knee"), ("knee", "ankle"))


@dataclass(frozen=True)
class Landed:
    """Joints of one person, in pixels of the picture."""

    names: Sequence[str]
    places: NDArray[np.floating]  # (K, 2)
    scores: NDArray[np.floating]  # (K,)

    def hits(self, sample: Sample) -> tuple[int, int]:
        """Returns how many joints lie where they are known to be, and how many are known."""
        distances = [
            float(np.hypot(*(place - sample.joints[name])))
            for name, place in zip(self.names, self.places, strict=True)
            if name in sample.joints
        ]
        return sum(distance <= NEAR * _longer(sample.box) for distance in distances), len(distances)

    def table(self, sample: Sample) -> str:
        """Returns a line for each joint."""
        lines = [f"{'joint':16} {'x':>7} {'y':>7}  score"]
        for name, (x, y), score in zip(self.names, self.places, self.scores, strict=True):
            far = ""
            if name in sample.joints:
                distance = float(np.hypot(*(np.array([x, y]) - sample.joints[name])))
                far = "" if distance <= NEAR * _longer(sample.box) else f"   {distance:.0f} px from the person's"
            lines.append(f"{name:16} {x:7.1f} {y:7.1f}   {score:.2f}{far}")
        return "\n".join(lines)

    def doubts(self, sample: Sample) -> Iterator[str]:
        """Yields what speaks against the network's answer."""
        if float(self.scores.max()) < LOW_SCORE:
            yield (
                f"all scores are below {LOW_SCORE}: mean, std, range or the order of the channels may be others, "
                "or the scores are logits"
            )
        if float(self.scores.min()) == float(self.scores.max()) == 1:
            yield "all scores are 1: people cannot be told from what is none"
        if float(np.ptp(self.places, axis=0).max()) < NEAR * _longer(sample.box):
            yield "all joints lie in one place: the pixels may be scaled otherwise, or the coordinates in another unit"
        outside = [name for name, place in zip(self.names, self.places, strict=True) if not _within(place, sample.box)]
        if len(outside) * 3 > len(self.names):
            yield f"{len(outside)} of {len(self.names)} joints lie outside of the person: {', '.join(outside)}"
        for upper, lower in ABOVE:
            heights = [self._height(upper), self._height(lower)]
            if None not in heights and heights[0] > heights[1]:  # type: ignore[operator]
                yield f"the {upper}s lie below the {lower}s: the joints may be in the order of another layout"
        if self._swapped(sample):
            yield "left and right are exchanged: the joints may be in the order of another layout"

    def _height(self, joint: str) -> float | None:
        rows = [place[1] for name, place in zip(self.names, self.places, strict=True) if name.endswith(f"_{joint}")]
        return float(np.mean(rows)) if rows else None

    def _swapped(self, sample: Sample) -> bool:
        other = [_opposite(name) for name in self.names]
        swapped = Landed(other, self.places, self.scores)
        return swapped.hits(sample)[0] > 2 * self.hits(sample)[0] and swapped.hits(sample)[0] * 2 > len(self.names)


def _opposite(name: str) -> str:
    side, _, rest = name.partition("_")
    return {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, name)


def _longer(box: Box) -> float:
    return max(box.width, box.height)


def _within(place: NDArray[np.floating], box: Box) -> bool:
    wide = WIDER * _longer(box)
    return bool(
        box.x - wide <= place[0] <= box.x + box.width + wide and box.y - wide <= place[1] <= box.y + box.height + wide
    )
