"""The plan of a video: its options, checked against the model before the first frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from service.errors import InvalidArgument
from service.networks.model import Model
from service.pipeline.effort import Choice
from service.pipeline.options import StreamOptions, VideoOptions, people_limit
from service.vision.boxes import Box
from service.vision.layouts import Layout, layout_named

DEFAULT_TOP_K = 5


@dataclass(frozen=True)
class VideoPlan:
    """Options of a video with all defaults filled in, and what the card says of the model's windows."""

    choice: Choice
    layout: Layout
    frames: int  # sampled frames in a window
    hop: int  # sampled frames from the start of one window to that of the next
    top_k: int
    interval_s: float
    labels: tuple[str, ...]
    box: Box | None
    every_frame: bool  # a pose for every frame, not only for the sampled ones
    is_live: bool  # a frame that cannot be used is an event, and not the end
    people: Literal["main", "all", "boxes"]  # who is followed; `boxes`: whom the caller tracks
    max_people: int  # of the service's own tracks
    smooth: bool

    @property
    def model(self) -> Model:
        return self.choice.model


def plan_video(options: VideoOptions, is_live: bool, choice: Choice, most_people: int) -> VideoPlan:
    """Returns the plan of a video.

    Args:
        options: The options of the request.
        is_live: Whether a frame that cannot be used is an event, and not the end.
        choice: The model, which knows actions.
        most_people: The service's limit of tracks.

    Raises:
        InvalidArgument: The model cannot do what is asked, or there is no such layout.
    """
    model = choice.model
    clip = model.card.clip
    assert clip is not None
    hop = options.hop or max(1, clip.frames // 4)
    if hop > clip.frames:
        raise InvalidArgument(f"hop must be between 1 and {clip.frames} sampled frames for model {model.name!r}")
    top_k = options.top_k or min(DEFAULT_TOP_K, len(clip.labels))
    if top_k > len(clip.labels):
        raise InvalidArgument(f"top_k must be between 1 and {len(clip.labels)} for model {model.name!r}")
    return VideoPlan(
        choice=choice,
        layout=layout_named(options.layout) if options.layout else model.layout,
        frames=clip.frames,
        hop=hop,
        top_k=top_k,
        interval_s=clip.interval_s,
        labels=clip.labels,
        box=options.box,
        every_frame=isinstance(options, StreamOptions) and options.want_keypoints,
        is_live=is_live,
        people=options.people,
        max_people=people_limit(options.max_people, most_people),
        smooth=options.smooth,
    )
