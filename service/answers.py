"""What the pipeline answers: plain data that REST and gRPC put into their own forms."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.catalogue import Model
from service.geometry import Box, Image
from service.layouts import Layout
from service.windows import Segment


@dataclass(frozen=True)
class Person:
    box: Box
    score: float
    keypoints_px: NDArray[np.float32]  # (K, D): x and y in pixels, z as the network gives it
    scores: NDArray[np.float32]  # (K,)


@dataclass(frozen=True)
class PoseAnswer:
    model: Model
    image: Image
    layout: Layout
    people: list[Person]
    timing_ms: dict[str, float]


@dataclass(frozen=True)
class ActionScore:
    label: str
    score: float


@dataclass(frozen=True)
class Event:
    """Something that became known with the frame `frame_id`."""

    frame_id: int
    time_s: float


@dataclass(frozen=True)
class PoseEvent(Event):
    people: list[Person]


@dataclass(frozen=True)
class ActionEvent(Event):
    first_frame_id: int
    start_s: float
    end_s: float
    actions: list[ActionScore]  # best first


@dataclass(frozen=True)
class SegmentEvent(Event):
    segment: Segment


@dataclass(frozen=True)
class ClipAnswer:
    actions: list[ActionScore]  # best first, over the whole clip
    segments: list[Segment]
    frames: int
    timing_ms: dict[str, float] = field(default_factory=dict)
