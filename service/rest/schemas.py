"""JSON of REST's answers, made from the pipeline's answers."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal, NotRequired

from pydantic import BaseModel, Field
from typing_extensions import TypedDict  # before Python 3.12 pydantic takes no other

from service.networks.engines import BuildingEngine
from service.networks.model import Model, ModelState
from service.pipeline.answers import (
    ActionEvent,
    ActionScore,
    ClipAnswer,
    Event,
    FlushedEvent,
    FrameErrorEvent,
    Person,
    Point,
    PoseAnswer,
    PoseEvent,
    SegmentEvent,
)
from service.pipeline.effort import Choice, Effort
from service.pipeline.plan import VideoPlan
from service.video.reader import VideoFacts
from service.video.segments import Segment
from service.video.windows import Reason
from service.vision.layouts import Layout


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str = Field(description="stable name of the error, the same over gRPC")
    request_id: str = Field(description="the answer's header X-Request-ID, which the service's log has as well")


class ImageJson(BaseModel):
    width: int
    height: int


class UnitsJson(TypedDict):
    """Of the coordinates of keypoints: `px` of the picture, `mm_from_root` behind the root joint (the pelvis)."""

    x: Literal["px"]
    y: Literal["px"]
    z: NotRequired[Annotated[Literal["mm_from_root"], Field(description="only of models that know or lift depth")]]


class LayoutJson(BaseModel):
    name: str
    joints: list[str]
    edges: list[tuple[int, int]] = Field(description="bones, as indices of joints")
    units: UnitsJson

    @staticmethod
    @cache
    def of(layout: Layout, has_depth: bool) -> LayoutJson:
        units = UnitsJson(x="px", y="px", z="mm_from_root") if has_depth else UnitsJson(x="px", y="px")
        return LayoutJson(name=layout.name, joints=list(layout.joints), edges=list(layout.edges), units=units)


class KeypointJson(TypedDict):  # not a model, since there are many: these dictionaries take a quarter of the time
    """A keypoint."""

    name: str
    x: Annotated[
        float | None,
        Field(description="pixels of the picture, from its left; null, as y and z, of a joint that the model lacks"),
    ]
    y: Annotated[float | None, Field(description="pixels of the picture, from its top")]
    z: NotRequired[
        Annotated[
            float | None,
            Field(
                description="millimetres behind the root joint's plane (less than 0: before it); of a model whose card "
                "has a lift a guess from the joints in the picture, for a person of the card's stature"
            ),
        ]
    ]
    score: Annotated[float, Field(description="0..1; 0 of a joint that the model lacks")]
    position_mm: NotRequired[
        Annotated[
            tuple[float, float, float],
            Field(
                description="only with a camera: place in its coordinates, x to the right, y down, z along the optical "
                "axis"
            ),
        ]
    ]


def keypoint_json(name: str, point: Point, has_depth: bool) -> KeypointJson:
    """Returns the JSON of a keypoint."""
    keypoint = KeypointJson(name=name, x=point.x, y=point.y, score=point.score)
    if has_depth:
        keypoint["z"] = point.z_mm
    if point.position_mm is not None:
        keypoint["position_mm"] = point.position_mm
    return keypoint


class PersonJson(TypedDict):
    """A person in a picture, with `detection_score`, or in a video, with `id`."""

    box: Annotated[tuple[float, float, float, float], Field(description="x, y, width, height in pixels")]
    score: Annotated[float, Field(description="0..1, the share of the joints that are expected to be right")]
    detection_score: NotRequired[
        Annotated[float | None, Field(description="0..1; null where no detector found the person; not in videos")]
    ]
    id: NotRequired[Annotated[int, Field(description="the same in all frames of a video; only there")]]
    keypoints: list[KeypointJson]


def person_json(person: Person, layout: Layout) -> PersonJson:
    """Returns the JSON of a person."""
    box = person.box
    has_depth = person.depths_mm is not None
    points = zip(layout.joints, person.points(), strict=True)
    keypoints = [keypoint_json(name, point, has_depth) for name, point in points]
    place = (box.x, box.y, box.width, box.height)
    if person.id is None:
        return PersonJson(box=place, score=person.score, detection_score=person.detection_score, keypoints=keypoints)
    return PersonJson(box=place, score=person.score, id=person.id, keypoints=keypoints)


class EffortJson(BaseModel):
    """Which model has answered, and why that one."""

    model: str
    version: str
    effort: Effort = Field("balanced", description="that was made")
    effort_reason: str | None = Field(None, description="why it is not the one that was asked for; null where it is")


def effort_fields(choice: Choice) -> dict[str, Any]:
    """Returns the fields of an `EffortJson`."""
    model = choice.model
    return {
        "model": model.name,
        "version": model.version,
        "effort": choice.effort,
        "effort_reason": choice.reason,
    }


class PoseJson(EffortJson):
    image: ImageJson
    layout: LayoutJson
    people: list[PersonJson]
    timing_ms: dict[str, float]

    @staticmethod
    def of(answer: PoseAnswer) -> PoseJson:
        return PoseJson(
            **effort_fields(answer.choice),
            image=ImageJson(width=answer.picture.width, height=answer.picture.height),
            layout=LayoutJson.of(answer.layout, answer.model.card.has_depth),
            people=[person_json(person, answer.layout) for person in answer.people],
            timing_ms=answer.timing_ms,
        )


class PosesJson(BaseModel):
    answers: list[PoseJson | Problem] = Field(description="one for each picture, in order; a problem where it is none")


class VideoJson(BaseModel):
    width: int = Field(
        description="of the first frame as a player shows it; of a file all coordinates are pixels of it"
    )
    height: int
    frames: int
    lost_frames: int = Field(description="damaged ones, which could not be decoded; not among the others")
    fps: float
    duration_s: float

    @staticmethod
    def of(facts: VideoFacts) -> VideoJson:
        return VideoJson(**vars(facts))


class ActionJson(BaseModel):
    label: str
    score: float

    @staticmethod
    def of(actions: list[ActionScore]) -> list[ActionJson]:
        return [ActionJson(label=action.label, score=action.score) for action in actions]


class SegmentJson(BaseModel):
    start_s: float
    end_s: float
    label: str
    score: float
    person_id: int

    @staticmethod
    def of(segment: Segment) -> SegmentJson:
        return SegmentJson(**vars(segment))


class PersonActionsJson(BaseModel):
    person_id: int
    actions: list[ActionJson] = Field(description="best first, over the whole video")
    reason: Reason | None = Field(description="why there is no action; null where there is one")


class ActionsJson(EffortJson):
    video: VideoJson
    actions: list[ActionJson] = Field(
        description="best first, over the whole video, of the person seen longest; what is missing from a sum of 1 is "
        "none of the model's actions"
    )
    reason: Reason | None = Field(
        description="why there is none: `not_seen`, `too_short`, `too_sparse`, `repeated_frames` or `model_changed`"
    )
    people: list[PersonActionsJson] = Field(description="in the order of their ids")
    segments: list[SegmentJson] = Field(description="stretches in which one action leads")
    timing_ms: dict[str, float]

    @staticmethod
    def of(answer: ClipAnswer, facts: VideoFacts) -> ActionsJson:
        return ActionsJson(
            **effort_fields(answer.choice),
            video=VideoJson.of(facts),
            actions=ActionJson.of(answer.actions),
            reason=answer.reason,
            people=[
                PersonActionsJson(
                    person_id=person.person_id, actions=ActionJson.of(person.actions), reason=person.reason
                )
                for person in answer.people
            ],
            segments=[SegmentJson.of(segment) for segment in answer.segments],
            timing_ms=answer.timing_ms,
        )


def event_json(event: Event) -> dict[str, Any]:
    """One event as a line of newline-delimited JSON."""
    at = event.at
    common: dict[str, Any] = {"frame_id": at.frame_id, "time_s": at.time_ns / 1e9}
    common |= {"lag_ms": at.lag_ms, "dropped_frames": at.dropped_frames}
    match event:
        case PoseEvent():
            people = [person_json(person, event.layout) for person in event.people]
            return {"event": "pose", **common, "people": people}
        case ActionEvent():
            actions = [action.model_dump() for action in ActionJson.of(event.actions)]
            span = {"start_s": event.start_s, "end_s": event.end_s, "first_frame_id": event.first_frame_id}
            reason = {"reason": event.reason} if event.reason else {}
            return {"event": "action", **common, "person_id": event.person_id, **span, "actions": actions, **reason}
        case SegmentEvent():
            return {"event": "segment", **common, **vars(event.segment)}
        case FrameErrorEvent():
            return {"event": "frame_error", **common, "code": event.code, "detail": event.detail}
        case FlushedEvent():
            return {"event": "flushed", **common}
    raise TypeError(f"no JSON for {type(event).__name__}")


def started_json(plan: VideoPlan) -> dict[str, Any]:
    """The first event of a stream."""
    layout = LayoutJson.of(plan.layout, plan.model.card.has_depth).model_dump()
    chosen = {**effort_fields(plan.choice), "layout": layout}
    return {"event": "started", **chosen, "clip_frames": plan.frames, "sample_interval_s": plan.interval_s}


class ModelJson(BaseModel):
    name: str
    version: str
    ready: bool
    missing: list[str] = Field(description="where it is not ready: what is not there, and why")
    card: dict[str, Any] = Field(description="what the model is: crop, layout, labels, weights, licence")
    layout: LayoutJson

    @staticmethod
    def of(model: Model) -> ModelJson:
        return ModelJson(
            name=model.name,
            version=model.version,
            ready=model.ready,
            missing=list(model.missing),
            card=model.card.model_dump(exclude_none=True),
            layout=LayoutJson.of(model.layout, model.card.has_depth),
        )


class ModelStateJson(BaseModel):
    name: str
    version: str = Field(description="that answers; empty where none was ever loaded")
    ready: bool
    missing: list[str] = Field(description="what is not there, and why")

    @staticmethod
    def of(state: ModelState) -> ModelStateJson:
        return ModelStateJson(name=state.name, version=state.version, ready=state.ready, missing=list(state.missing))


class ModelsJson(BaseModel):
    models: list[ModelJson]
    incomplete: list[ModelStateJson] = Field(description="models of which so much is missing that they have no card")


class HealthJson(BaseModel):
    status: Literal["ok", "not ready"]


class EngineJson(BaseModel):
    """The engine for the GPU that is being built."""

    building: str = Field(description="its network")
    step: str = Field(description="what is done at present, in the builder's words")
    done: float | None = Field(description="share of that step, 0 to 1, where it is known")
    built: int = Field(description="engines that are finished")
    wanted: int = Field(description="engines in all")
    seconds: float = Field(description="since this engine was begun")

    @staticmethod
    def of(engine: BuildingEngine) -> EngineJson:
        return EngineJson.model_validate(engine.model_dump(exclude={"began_s"}) | {"seconds": engine.seconds()})


class ReadyJson(BaseModel):
    status: Literal["ok", "not ready"]
    reason: str | None = Field(None, description="what the service cannot do at present")
    models: list[ModelStateJson] = Field(description="and the detector `person`")
    engines: EngineJson | None = Field(None, description="only while engines for a GPU are being built")
