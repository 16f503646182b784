"""Which window of a picture a clip's crops take, in each of deephar's protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.datasets.boxes import PredictedBoxes, Where
from models.datasets.samples import Bools, Floats, WindowOf
from models.protocol.boxes import clip_window
from models.protocol.window import Window


@dataclass(frozen=True, eq=False)
class AnnotatedWindows:
    """Around the annotated poses (T, K, D) of the clip's first, middle and last frame."""

    keypoints: Floats
    visible: Bools  # (T, K)
    image_size: tuple[int, int]

    def __call__(self, frames: Sequence[int], mirror: bool = False, /) -> Window:  # noqa: ARG002 - all have it
        chosen = list(frames)
        return clip_window(self.keypoints[chosen], self.visible[chosen], self.image_size).at_least_smallest()


@dataclass(frozen=True, eq=False)
class PredictedWindows:
    """From a file of boxes; the whole image where the file has none of the clip.

    Args:
        boxes: Of the split.
        sequence: Its name there.
        image_size: Width and height in pixels.
        every: Frames of the file for one of the sequence.
    """

    boxes: PredictedBoxes
    sequence: str
    image_size: tuple[int, int]
    every: int = 1

    def __call__(self, frames: Sequence[int], mirror: bool = False, /) -> Window:
        window = self.boxes.window(self.sequence, [self.every * frame for frame in frames], mirror)
        return (window or Window.of_whole_image(*self.image_size)).at_least_smallest()


@dataclass(frozen=True, eq=False)
class WholeImage:
    """The whole image as a square."""

    image_size: tuple[int, int]

    def __call__(self, frames: Sequence[int], mirror: bool = False, /) -> Window:  # noqa: ARG002 - all have them
        return Window.of_whole_image(*self.image_size)


def windows(
    where: Where,
    predicted: PredictedBoxes | None,
    sequence: str,
    keypoints: Floats,
    visible: Bools,
    image_size: tuple[int, int],
    every: int = 1,
) -> WindowOf:
    """The windows of a sequence's clips.

    Args:
        where: They come from.
        predicted: The boxes of the split, where they come from a file.
        sequence: Its name in that file.
        keypoints: (T, K, D), those that the box of annotated poses is around.
        visible: (T, K).
        image_size: Width and height in pixels.
        every: Frames of the file for one of the sequence.
    """
    if predicted is not None:
        return PredictedWindows(predicted, sequence, image_size, every)
    if where == "image":
        return WholeImage(image_size)
    return AnnotatedWindows(keypoints, visible, image_size)
