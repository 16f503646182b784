"""Events of a stream as plain data. `to_dict` of each gives REST's line of newline-delimited JSON.

Events that this client does not know are left out, and so are fields that it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from deephar.results import ActionScore, Json, Layout, Person, PoseArrays, Segment, actions_in, arrays_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Started:
    """The first event: what the service has chosen.

    After a reconnection it comes again where the other gateway has chosen something else.
    """

    event: ClassVar[str] = "started"

    model: str
    version: str
    effort: str | None
    effort_reason: str | None
    layout: Layout
    clip_frames: int  # sampled frames in a window
    sample_interval_s: float  # media time between two of them

    def to_dict(self) -> Json:
        return {
            "event": self.event,
            "model": self.model,
            "version": self.version,
            "effort": self.effort,
            "effort_reason": self.effort_reason,
            "layout": self.layout.to_dict(),
            "clip_frames": self.clip_frames,
            "sample_interval_s": self.sample_interval_s,
        }

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> Started:
        return Started(
            document.get("model", ""),
            document.get("version", ""),
            document.get("effort"),
            document.get("effort_reason"),
            Layout.from_dict(document.get("layout", {})),
            document.get("clip_frames", 0),
            document.get("sample_interval_s", 0.0),
        )


@dataclass(frozen=True, slots=True)
class AtFrame:
    """What every event but the first says of the newest frame that it depends on.

    Attributes:
        frame_id: The caller's.
        time_s: The frame's, in seconds of media time.
        lag_ms: How long the frame waited in the service.
        dropped_frames: So far in this stream.
    """

    frame_id: int
    time_s: float
    lag_ms: float
    dropped_frames: int

    event: ClassVar[str]

    def to_dict(self) -> Json:
        return {
            "event": self.event,
            "frame_id": self.frame_id,
            "time_s": self.time_s,
            "lag_ms": self.lag_ms,
            "dropped_frames": self.dropped_frames,
        }


@dataclass(frozen=True, slots=True)
class PoseEvent(AtFrame):
    """The people in a frame."""

    event: ClassVar[str] = "pose"

    people: tuple[Person, ...]

    def to_numpy(self) -> PoseArrays:
        """Returns the keypoints and scores of all people. Needs NumPy."""
        return arrays_of(self.people)

    def draw(self, picture: NDArray[np.uint8], layout: Layout) -> NDArray[np.uint8]:
        """Returns a copy of the frame (H, W, 3) in RGB with the skeletons drawn in. Needs the extra `draw`.

        Args:
            picture: The frame.
            layout: Of `Started`.
        """
        from deephar.drawn import draw

        return draw(picture, self.people, layout)

    def to_dict(self) -> Json:
        return {**AtFrame.to_dict(self), "people": [person.to_dict() for person in self.people]}


@dataclass(frozen=True, slots=True)
class ActionEvent(AtFrame):
    """The actions of one person in one window, best first, or why there are none."""

    event: ClassVar[str] = "action"

    person_id: int
    start_s: float
    end_s: float
    first_frame_id: int
    actions: tuple[ActionScore, ...]
    reason: str | None = None

    def to_dict(self) -> Json:
        document = AtFrame.to_dict(self) | {
            "person_id": self.person_id,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "first_frame_id": self.first_frame_id,
            "actions": [action.to_dict() for action in self.actions],
        }
        return document | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True, slots=True)
class SegmentEvent(AtFrame):
    """A span in which one action of one person leads. It is final."""

    event: ClassVar[str] = "segment"

    start_s: float
    end_s: float
    label: str
    score: float
    person_id: int

    @property
    def segment(self) -> Segment:
        return Segment(self.start_s, self.end_s, self.label, self.score, self.person_id)

    def to_dict(self) -> Json:
        return AtFrame.to_dict(self) | self.segment.to_dict()


@dataclass(frozen=True, slots=True)
class FrameErrorEvent(AtFrame):
    """A frame that cannot be used: the stream goes on without it."""

    event: ClassVar[str] = "frame_error"

    code: str
    detail: str

    def to_dict(self) -> Json:
        return {**AtFrame.to_dict(self), "code": self.code, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Flushed(AtFrame):
    """All that was sent before a `Flush` is answered."""

    event: ClassVar[str] = "flushed"


Event: TypeAlias = Started | PoseEvent | ActionEvent | SegmentEvent | FrameErrorEvent | Flushed


def event_from_dict(document: Mapping[str, Any]) -> Event | None:
    """Returns the event in a line of REST's; None: this client does not know it."""
    kind = document.get("event")
    if kind == Started.event:
        return Started.from_dict(document)
    read = _READERS.get(str(kind))
    return None if read is None else read(document, _at(document))


def _at(document: Mapping[str, Any]) -> tuple[int, float, float, int]:
    return (
        document.get("frame_id", 0),
        document.get("time_s", 0.0),
        document.get("lag_ms", 0.0),
        document.get("dropped_frames", 0),
    )


_At: TypeAlias = tuple[int, float, float, int]


def _pose(document: Mapping[str, Any], at: _At) -> PoseEvent:
    return PoseEvent(*at, tuple(Person.from_dict(person) for person in document.get("people", ())))


def _action(document: Mapping[str, Any], at: _At) -> ActionEvent:
    return ActionEvent(
        *at,
        document.get("person_id", 0),
        document.get("start_s", 0.0),
        document.get("end_s", 0.0),
        document.get("first_frame_id", 0),
        actions_in(document),
        document.get("reason") or None,
    )


def _segment(document: Mapping[str, Any], at: _At) -> SegmentEvent:
    segment = Segment.from_dict(document)
    return SegmentEvent(*at, segment.start_s, segment.end_s, segment.label, segment.score, segment.person_id)


def _frame_error(document: Mapping[str, Any], at: _At) -> FrameErrorEvent:
    return FrameErrorEvent(*at, document.get("code", ""), document.get("detail", ""))


_READERS: dict[str, Callable[[Mapping[str, Any], _At], Event]] = {
    PoseEvent.event: _pose,
    ActionEvent.event: _action,
    SegmentEvent.event: _segment,
    FrameErrorEvent.event: _frame_error,
    Flushed.event: lambda _, at: Flushed(*at),
}
