"""Answers of the pipeline: plain data, which REST and gRPC write in their own formats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.networks.model import Model
from service.pipeline.effort import Choice
from service.video.segments import Segment
from service.video.windows import Reason
from service.vision.boxes import Box
from service.vision.layouts import Layout
from service.vision.picture import Picture


class Point(NamedTuple):
    """One keypoint as plain numbers: x, y in pixels of the picture, z in mm from the root joint's plane.

    A joint that the model lacks has none of them.
    """

    x: float | None
    y: float | None
    score: float
    z_mm: float | None
    position_mm: tuple[float, float, float] | None


@dataclass(frozen=True)
class Person:
    """One person in a picture or a frame: K keypoints in the layout of the answer.

    The coordinates of joints that the model lacks are NaN.
    """

    box: Box
    score: float  # the share of the joints that are expected to be right
    keypoints_px: NDArray[np.float32]  # (K, 2)
    scores: NDArray[np.float32]  # (K,)
    depths_mm: NDArray[np.float32] | None = None  # (K,) from the root joint's plane; of models that know or lift depth
    positions_mm: NDArray[np.float32] | None = None  # (K, 3) in the camera's coordinates; where a camera was sent
    detection_score: float | None = None  # of people that the detector found in a picture
    id: int | None = None  # the same in all frames of a video; None in pictures

    def points(self) -> Iterator[Point]:
        """Yields the keypoints in the order of the layout."""
        unknown = [None] * len(self.scores)
        depths = self.depths_mm.tolist() if self.depths_mm is not None else unknown
        positions = self.positions_mm.tolist() if self.positions_mm is not None else unknown
        points = zip(self.keypoints_px.tolist(), self.scores.tolist(), depths, positions, strict=True)
        for (x, y), score, z, position in points:
            if isnan(x):
                yield Point(None, None, score, None, None)
            else:
                yield Point(x, y, score, z, tuple(position) if position else None)


@dataclass(frozen=True)
class PoseAnswer:
    """The people in a picture."""

    choice: Choice
    picture: Picture
    layout: Layout
    people: list[Person]
    timing_ms: dict[str, float]

    @property
    def model(self) -> Model:
        return self.choice.model


@dataclass(frozen=True)
class ActionScore:
    label: str
    score: float


class Moment(NamedTuple):
    """The frame of an event."""

    frame_id: int
    time_ns: int
    lag_ms: float  # from the frame's arrival to the start of its inference
    dropped_frames: int  # of the whole stream so far


@dataclass(frozen=True)
class Event:
    at: Moment


@dataclass(frozen=True)
class PoseEvent(Event):
    people: list[Person]
    layout: Layout


@dataclass(frozen=True)
class ActionEvent(Event):
    person_id: int
    first_frame_id: int
    start_s: float
    end_s: float
    actions: list[ActionScore]  # best first; none where there is a reason
    scores: NDArray[np.float32] | None  # (A,) of all actions; what is missing from a sum of 1 is none of them
    reason: Reason | None = None  # why the window has no action


@dataclass(frozen=True)
class SegmentEvent(Event):
    segment: Segment


@dataclass(frozen=True)
class FrameErrorEvent(Event):
    """A frame that cannot be used: the stream goes on without it."""

    code: str
    detail: str


@dataclass(frozen=True)
class TakenEvent(Event):
    """A frame of a live stream was taken out of the queue, and has no other event: it is not a sample."""


@dataclass(frozen=True)
class FlushedEvent(Event):
    """All that was sent before a flush is answered."""


@dataclass(frozen=True)
class PersonActions:
    person_id: int
    actions: list[ActionScore]  # best first, over the whole clip; none where there is a reason
    reason: Reason | None = None  # why none of the windows has an action


@dataclass(frozen=True)
class ClipAnswer:
    choice: Choice
    actions: list[ActionScore]  # of the longest track; none where there is a reason
    people: list[PersonActions]  # of all tracks
    segments: list[Segment]
    frames: int
    reason: Reason | None = None  # why there are no actions
    timing_ms: dict[str, float] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        return self.choice.model
