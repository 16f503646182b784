"""What every data set gives: people in pictures, and sequences of frames. Pixels are read when asked for.

Annotations (`_px`) are pixels of the picture that `read` returns, without a shift by half a pixel, and NaN where the
data set has none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.protocol.camera import Camera
from models.protocol.joints import Joints
from models.protocol.window import Window

Pixels = NDArray[np.uint8]  # (H, W, 3), RGB
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Box = tuple[float, float, float, float]  # x, y, width, height in pixels


@dataclass(frozen=True, eq=False, kw_only=True)
class Person:
    """One annotated person of one picture."""

    key: str  # names the person in records and journals, the same in every run
    image_size: tuple[int, int]  # width, height
    read: Callable[[], Pixels]  # raises DataProblem where the file is missing or damaged
    joints: Joints  # the names of the rows of `keypoints_px`; "-" is a joint that no network has
    keypoints_px: Floats  # (K, 2)
    visible: Bools  # (K,), annotated as not occluded; all annotated ones where the data set does not say
    window: Window  # that the original's evaluation takes
    box: Box | None = None  # annotated; None where the data set has only centre and scale


@dataclass(frozen=True, eq=False, kw_only=True)
class MpiiPerson(Person):
    """A person of MPII."""

    head_size_px: float  # 0.6 of the head box's diagonal


@dataclass(frozen=True, eq=False, kw_only=True)
class CocoPerson(Person):
    """A person of COCO."""

    image_id: int
    annotation_id: int
    area: float


@dataclass(frozen=True, eq=False, kw_only=True)
class H36mPerson(Person):
    """A person of Human3.6M, with the third coordinate."""

    world_mm: Floats  # (K, 3)
    uvz: Floats  # (K, 3): u px, v px, depth mm
    camera: Camera
    action: int  # from 0


class WindowOf(Protocol):
    """Says which window of the picture a network takes of a clip."""

    def __call__(self, frames: Sequence[int], mirror: bool = False, /) -> Window:
        """The window of these frames, as the original's evaluation takes it.

        Args:
            frames: Of the sequence, from 0.
            mirror: Whether the clip's crops are mirrored: files with a box for each clip have another one then.

        Raises:
            DataProblem: There is no box of a frame in the file of predicted boxes.
        """
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Clip:
    """A sequence of frames of one person with one action."""

    key: str
    action: int  # from 0, of the data set's labels
    frames: int
    image_size: tuple[int, int]
    read: Callable[[int], Pixels]  # a frame, from 0; raises DataProblem
    joints: Joints
    keypoints: Floats  # (T, K, D): x px, y px and, where D is 3, depth mm
    visible: Bools  # (T, K)
    window_of: WindowOf


AnySample = TypeVar("AnySample", Person, MpiiPerson, CocoPerson, H36mPerson, Clip)


class Dataset(ABC, Generic[AnySample]):
    """One split of a data set. Annotations are in memory or read lazily; pixels never stay."""

    name: str  # as `deephar-models` calls it
    split: str
    labels: tuple[str, ...] = ()  # of actions

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> AnySample: ...

    def __iter__(self) -> Iterator[AnySample]:
        return (self[index] for index in range(len(self)))

    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 over the annotation files and the number of samples: tells two versions of the data apart."""
