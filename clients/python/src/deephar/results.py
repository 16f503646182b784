"""Answers as plain data. `to_dict` of each gives the JSON that REST answers, `from_dict` reads it.

Fields that a service does not send are None or empty, and fields that this client does not know are ignored: services
older and newer than the client can be asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from deephar.errors import MissingExtra

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Json: TypeAlias = dict[str, Any]


class PoseArrays(NamedTuple):
    """The keypoints of N people with K joints: NaN where the service has no number."""

    keypoints: NDArray[np.float64]  # (N, K, 2), or (N, K, 3) where there is depth: x, y in pixels, z in millimetres
    scores: NDArray[np.float64]  # (N, K)


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    def to_dict(self) -> Json:
        return {"width": self.width, "height": self.height}

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> Size:
        return Size(document.get("width", 0), document.get("height", 0))


@dataclass(frozen=True, slots=True)
class Layout:
    """A named order of joints.

    Attributes:
        name: For example `coco17`.
        joints: Names of the joints, in order.
        edges: Bones, as pairs of indices of joints.
        units: Of the coordinates x, y and, where there is depth, z: `px` or `mm_from_root`.
    """

    name: str
    joints: tuple[str, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> Json:
        edges = [list(edge) for edge in self.edges]
        return {"name": self.name, "joints": list(self.joints), "edges": edges, "units": dict(self.units)}

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> Layout:
        return Layout(
            document.get("name", ""),
            tuple(document.get("joints", ())),
            tuple((first, second) for first, second in document.get("edges", ())),
            dict(document.get("units", {})),
        )


class Box(NamedTuple):
    """A rectangle in pixels of the upright picture, from its top left."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Keypoint:
    """One joint of a person.

    Attributes:
        name: Of the joint.
        x: Pixels of the upright picture, from its left; None: the model does not know this joint.
        y: The same, from its top.
        z: Millimetres behind the plane of the root joint, the pelvis (less than 0: before it); None: there is no depth.
        score: 0 to 1.
        position_mm: With a camera, the place in its coordinates: x to the right, y down, z along the optical axis.
    """

    name: str
    x: float | None
    y: float | None
    z: float | None
    score: float
    position_mm: tuple[float, float, float] | None = None

    def to_dict(self) -> Json:
        document: Json = {"name": self.name, "x": self.x, "y": self.y, "score": self.score}
        if self.z is not None:
            document["z"] = self.z
        if self.position_mm is not None:
            document["position_mm"] = list(self.position_mm)
        return document

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> Keypoint:
        place = document.get("position_mm")
        return Keypoint(
            document.get("name", ""),
            document.get("x"),
            document.get("y"),
            document.get("z"),
            document.get("score", 0.0),
            None if place is None else (place[0], place[1], place[2]),
        )


@dataclass(frozen=True, slots=True)
class Person:
    """A person in a picture or in a frame of a video.

    Attributes:
        box: Where.
        score: 0 to 1, the share of the joints that are expected to be right.
        detection_score: The detector's; None: a box was sent, or it is a video.
        keypoints: In the order of the answer's layout.
        id: The same in all frames of a video; None in pictures.
    """

    box: Box
    score: float
    detection_score: float | None
    keypoints: tuple[Keypoint, ...]
    id: int | None = None

    def to_numpy(self) -> PoseArrays:
        """Returns the keypoints and scores of this person alone, N is 1. Needs NumPy."""
        return arrays_of([self])

    def to_dict(self) -> Json:
        document: Json = {"box": list(self.box), "score": self.score}
        document |= {"detection_score": self.detection_score} if self.id is None else {"id": self.id}
        return document | {"keypoints": [point.to_dict() for point in self.keypoints]}

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> Person:
        return Person(
            Box(*document.get("box", (0.0, 0.0, 0.0, 0.0))),
            document.get("score", 0.0),
            document.get("detection_score"),
            tuple(Keypoint.from_dict(point) for point in document.get("keypoints", ())),
            document.get("id"),
        )


@dataclass(frozen=True, slots=True)
class PoseAnswer:
    """The people in a picture.

    Attributes:
        model: That has answered.
        version: Of the model.
        effort: That was made; None: the service does not say.
        effort_reason: Why it is not the effort that was asked for; None where it is.
        image: Size of the upright picture.
        layout: Of the keypoints.
        people: One for each box, in their order; without boxes by descending score.
        timing_ms: How long the service took, in parts and in all.
    """

    model: str
    version: str
    effort: str | None
    effort_reason: str | None
    image: Size
    layout: Layout
    people: tuple[Person, ...]
    timing_ms: Mapping[str, float] = field(default_factory=dict)

    def to_numpy(self) -> PoseArrays:
        """Returns the keypoints and scores of all people. Needs NumPy."""
        return arrays_of(self.people, self.layout)

    def draw(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Returns a copy of the picture (H, W, 3) in RGB with the skeletons drawn in. Needs the extra `draw`."""
        from deephar.drawn import draw

        return draw(picture, self.people, self.layout)

    def to_dict(self) -> Json:
        return {
            **_choice_of(self),
            "image": self.image.to_dict(),
            "layout": self.layout.to_dict(),
            "people": [person.to_dict() for person in self.people],
            "timing_ms": dict(self.timing_ms),
        }

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> PoseAnswer:
        return PoseAnswer(
            **choice_in(document),
            image=Size.from_dict(document.get("image", {})),
            layout=Layout.from_dict(document.get("layout", {})),
            people=tuple(Person.from_dict(person) for person in document.get("people", ())),
            timing_ms=dict(document.get("timing_ms", {})),
        )


@dataclass(frozen=True, slots=True)
class ActionScore:
    """An action, and its score from 0 to 1. What all scores lack to 1 is the score of "none of these actions"."""

    label: str
    score: float

    def to_dict(self) -> Json:
        return {"label": self.label, "score": self.score}

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> ActionScore:
        return ActionScore(document.get("label", ""), document.get("score", 0.0))


@dataclass(frozen=True, slots=True)
class Segment:
    """A span of media time, in seconds, in which one action of one person has the highest score."""

    start_s: float
    end_s: float
    label: str
    score: float
    person_id: int

    def to_dict(self) -> Json:
        return asdict(self)

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> Segment:
        return Segment(
            document.get("start_s", 0.0),
            document.get("end_s", 0.0),
            document.get("label", ""),
            document.get("score", 0.0),
            document.get("person_id", 0),
        )


@dataclass(frozen=True, slots=True)
class PersonActions:
    """One person's actions over a whole video, best first, and why there are none."""

    person_id: int
    actions: tuple[ActionScore, ...]
    reason: str | None = None

    def to_dict(self) -> Json:
        actions = [action.to_dict() for action in self.actions]
        return {"person_id": self.person_id, "actions": actions, "reason": self.reason}

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> PersonActions:
        return PersonActions(document.get("person_id", 0), actions_in(document), document.get("reason") or None)


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """Properties of a video, as a player shows it.

    Attributes:
        width: Of the first frame; over gRPC 0 where frames were sent that the client did not decode.
        height: The same.
        frames: That were read.
        lost_frames: Damaged ones, which are not among the others.
        fps: Frames a second, on average.
        duration_s: Its length.
    """

    width: int
    height: int
    frames: int
    lost_frames: int
    fps: float
    duration_s: float

    def to_dict(self) -> Json:
        return asdict(self)

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> VideoFacts:
        return VideoFacts(
            document.get("width", 0),
            document.get("height", 0),
            document.get("frames", 0),
            document.get("lost_frames", 0),
            document.get("fps", 0.0),
            document.get("duration_s", 0.0),
        )


@dataclass(frozen=True, slots=True)
class ActionsAnswer:
    """The actions in a video.

    Attributes:
        model: That has answered.
        version: Of the model.
        effort: That was made; None: the service does not say.
        effort_reason: Why it is not the effort that was asked for; None where it is.
        video: Its properties.
        actions: Best first, over the whole video, of the person with the most windows.
        reason: Why there are none: `not_seen`, `too_short`, `too_sparse`, `repeated_frames` or `model_changed`.
        people: The actions of each, in the order of their ids.
        segments: Spans in which one action of one person leads.
        timing_ms: How long the service took.
    """

    model: str
    version: str
    effort: str | None
    effort_reason: str | None
    video: VideoFacts
    actions: tuple[ActionScore, ...]
    reason: str | None
    people: tuple[PersonActions, ...]
    segments: tuple[Segment, ...]
    timing_ms: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> Json:
        return {
            **_choice_of(self),
            "video": self.video.to_dict(),
            "actions": [action.to_dict() for action in self.actions],
            "reason": self.reason,
            "people": [person.to_dict() for person in self.people],
            "segments": [segment.to_dict() for segment in self.segments],
            "timing_ms": dict(self.timing_ms),
        }

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> ActionsAnswer:
        return ActionsAnswer(
            **choice_in(document),
            video=VideoFacts.from_dict(document.get("video", {})),
            actions=actions_in(document),
            reason=document.get("reason") or None,
            people=tuple(PersonActions.from_dict(person) for person in document.get("people", ())),
            segments=tuple(Segment.from_dict(segment) for segment in document.get("segments", ())),
            timing_ms=dict(document.get("timing_ms", {})),
        )


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the service.

    Attributes:
        name: For `model=` of the calls.
        version: That answers.
        ready: Whether it can be asked.
        card: What it is: crop, layout, labels, weights, licence. gRPC has the most important of it only.
        layout: Of the network's own joints.
        missing: What it lacks to be ready, where the service says so. Of one that lacks too much, little else is known.
    """

    name: str
    version: str
    ready: bool
    card: Mapping[str, Any]
    layout: Layout
    missing: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        return str(self.card.get("description", ""))

    @property
    def dimensions(self) -> int:
        """2 or 3; 3 also where depth is lifted from the 2D joints."""
        return int(self.card.get("dims", 2))

    @property
    def actions(self) -> tuple[str, ...]:
        """The labels; none: the model knows no actions."""
        return tuple((self.card.get("clip") or {}).get("labels", ()))

    @property
    def clip_frames(self) -> int:
        """Sampled frames in a window; 0: the model knows no actions."""
        return int((self.card.get("clip") or {}).get("frames", 0))

    @property
    def sample_interval_s(self) -> float:
        """Media time between two sampled frames."""
        return float((self.card.get("clip") or {}).get("interval_s", 0.0))

    def to_dict(self) -> Json:
        document = {"name": self.name, "version": self.version, "ready": self.ready, "card": dict(self.card)}
        document["layout"] = self.layout.to_dict()
        return document | ({"missing": list(self.missing)} if self.missing else {})

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> Model:
        return Model(
            document.get("name", ""),
            document.get("version", ""),
            bool(document.get("ready")),
            dict(document.get("card", {})),
            Layout.from_dict(document.get("layout", {})),
            tuple(document.get("missing", ())),
        )


def arrays_of(people: Sequence[Person], layout: Layout | None = None) -> PoseArrays:
    """Returns the keypoints and scores of people. Needs NumPy.

    Args:
        people: All with the same joints.
        layout: Of their joints; says the shape where there is nobody.

    Raises:
        MissingExtra: NumPy is not installed.
    """
    try:
        import numpy as np
    except ModuleNotFoundError as error:
        raise MissingExtra("arrays need NumPy, which is not installed: pip install numpy") from error

    joints = len(people[0].keypoints) if people else len(layout.joints) if layout else 0
    has_depth = any(point.z is not None for person in people for point in person.keypoints)
    dimensions = 3 if has_depth or (layout is not None and "z" in layout.units) else 2
    rows = [[(point.x, point.y, point.z)[:dimensions] for point in person.keypoints] for person in people]
    scores = [[point.score for point in person.keypoints] for person in people]
    shape = (len(people), joints)
    return PoseArrays(
        np.array(rows, np.float64).reshape(*shape, dimensions), np.array(scores, np.float64).reshape(shape)
    )


def choice_in(document: Mapping[str, Any]) -> Json:
    """Returns the fields of which model has answered, as arguments of an answer."""
    return {
        "model": document.get("model", ""),
        "version": document.get("version", ""),
        "effort": document.get("effort"),
        "effort_reason": document.get("effort_reason"),
    }


def actions_in(document: Mapping[str, Any]) -> tuple[ActionScore, ...]:
    """Returns the actions in a part of an answer."""
    return tuple(ActionScore.from_dict(action) for action in document.get("actions", ()))


def _choice_of(answer: PoseAnswer | ActionsAnswer) -> Json:
    return {
        "model": answer.model,
        "version": answer.version,
        "effort": answer.effort,
        "effort_reason": answer.effort_reason,
    }
