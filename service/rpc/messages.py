"""Conversion of protobuf messages to the pipeline's options and frames, and of its answers to messages."""

from __future__ import annotations

from typing import Any

from deephar.v1 import inference_pb2 as pb

from service.errors import InvalidArgument
from service.networks.model import Model
from service.pipeline.answers import (
    ActionEvent,
    ActionScore,
    ClipAnswer,
    Event,
    FlushedEvent,
    FrameErrorEvent,
    Person,
    PoseAnswer,
    PoseEvent,
    SegmentEvent,
)
from service.pipeline.effort import Choice, Effort
from service.pipeline.options import LONGEST_DEADLINE_MS, CameraOption, PictureOptions, StreamOptions
from service.pipeline.plan import VideoPlan
from service.video.frame import BadFrame, Frame, TrackedBox
from service.video.inbox import Credits
from service.video.received import FrameLimits, Sent, received
from service.video.segments import Segment
from service.vision.boxes import Box
from service.vision.layouts import Layout


def layout_message(layout: Layout, has_depth: bool) -> pb.Layout:
    edges = [pb.Edge(**{"from": a, "to": b}) for a, b in layout.edges]
    z = pb.UNIT_MM_FROM_ROOT if has_depth else pb.UNIT_UNSPECIFIED
    units = pb.Units(x=pb.UNIT_PX, y=pb.UNIT_PX, z=z)
    return pb.Layout(name=layout.name, joints=layout.joints, edges=edges, units=units)


def model_message(model: Model) -> pb.Model:
    card = model.card
    message = pb.Model(
        name=model.name,
        version=model.version,
        ready=model.ready,
        description=card.description,
        layout=layout_message(model.layout, card.has_depth),
        dimensions=3 if card.has_depth else 2,
        input_size=card.crop.size,
        crop_margin=card.crop.margin,
        weights=card.weights,
        weights_sha256=card.weights_sha256,
        licence=card.licence,
        missing=model.missing,
    )
    if card.clip is not None:
        message.actions.extend(card.clip.labels)
        message.clip_frames = card.clip.frames
        message.sample_interval_s = card.clip.interval_s
    return message


def box_of(message: pb.Box) -> Box:
    return Box(message.x, message.y, message.width, message.height)


def camera_of(message: pb.Camera) -> CameraOption:
    return CameraOption(
        fx=message.fx, fy=message.fy, cx=message.cx, cy=message.cy, root_depth_mm=list(message.root_depth_mm)
    )


def picture_options(request: pb.EstimatePoseRequest, max_boxes: int) -> PictureOptions:
    """Returns the options of `EstimatePose`. Fields that are not set mean the default.

    Raises:
        InvalidArgument: There are more than `max_boxes` boxes, or depths of the camera, or a field has a wrong value.
    """
    if len(request.boxes) > max_boxes:
        raise InvalidArgument(
            f"{len(request.boxes)} boxes were sent; at most {max_boxes} are taken; send several requests"
        )
    if len(request.camera.root_depth_mm) > max_boxes:
        raise InvalidArgument(f"the camera has over {max_boxes} values of root_depth_mm; send one for each box")
    return PictureOptions.of(
        {
            "model": request.model,
            "boxes": [box_of(box) for box in request.boxes],
            "layout": request.layout,
            "camera": camera_of(request.camera) if request.HasField("camera") else None,
            "max_people": request.max_people or None,
            "flip": request.flip,
            "min_score": request.min_score if request.HasField("min_score") else None,
            "effort": _effort_of(request.effort),
        }
    )


def _effort_of(value: int) -> Effort | None:
    """Returns the effort that a request asks for.

    Raises:
        InvalidArgument: The enum has no such value, as of a newer client.
    """
    _check_enum("effort", pb.Effort, value)
    return _EFFORTS.get(value)


def _check_enum(name: str, enum: Any, value: int) -> None:
    if value not in enum.values():
        raise InvalidArgument(f"{name} has the unknown value {value}; use one of {', '.join(enum.keys())}")


def _choice_fields(choice: Choice) -> dict[str, Any]:
    """Returns what an answer says of the choice of its model."""
    effort = next(value for value, name in _EFFORTS.items() if name == choice.effort)
    return {
        "model": choice.model.name,
        "version": choice.model.version,
        "effort": effort,
        "effort_reason": choice.reason,
    }


def person_message(person: Person, layout: Layout) -> pb.Person:
    box = person.box
    keypoints = []
    for name, point in zip(layout.joints, person.points(), strict=True):
        place = pb.Position(**dict(zip("xyz", point.position_mm, strict=True))) if point.position_mm else None
        keypoints.append(
            pb.Keypoint(name=name, x=point.x, y=point.y, z=point.z_mm, score=point.score, position_mm=place)
        )
    where = pb.Box(x=box.x, y=box.y, width=box.width, height=box.height)
    return pb.Person(
        box=where,
        score=person.score,
        detection_score=person.detection_score,
        keypoints=keypoints,
        id=person.id or 0,
    )


def pose_message(answer: PoseAnswer) -> pb.EstimatePoseResponse:
    return pb.EstimatePoseResponse(
        **_choice_fields(answer.choice),
        image_width=answer.picture.width,
        image_height=answer.picture.height,
        layout=layout_message(answer.layout, answer.model.card.has_depth),
        people=[person_message(person, answer.layout) for person in answer.people],
        timing_ms=answer.timing_ms,
    )


def action_messages(actions: list[ActionScore]) -> list[pb.ActionScore]:
    return [pb.ActionScore(label=action.label, score=action.score) for action in actions]


def segment_message(segment: Segment) -> pb.Segment:
    return pb.Segment(**vars(segment))


def clip_message(answer: ClipAnswer) -> pb.ClassifyClipResponse:
    return pb.ClassifyClipResponse(
        **_choice_fields(answer.choice),
        actions=action_messages(answer.actions),
        reason=answer.reason,
        people=[
            pb.PersonActions(person_id=p.person_id, actions=action_messages(p.actions), reason=p.reason)
            for p in answer.people
        ],
        segments=[segment_message(segment) for segment in answer.segments],
        frames=answer.frames,
        timing_ms=answer.timing_ms,
    )


def event_message(event: Event, credits: Credits) -> pb.StreamVideoResponse:
    frame_id, time_ns, lag_ms, dropped_frames = event.at
    message = pb.StreamVideoResponse(
        frame_id=frame_id,
        timestamp_ns=time_ns,
        lag_ms=lag_ms,
        dropped_frames=dropped_frames,
        received_frames=credits.received,
        credits=credits.free,
    )
    match event:
        case PoseEvent():
            message.pose.SetInParent()
            message.pose.people.extend(person_message(person, event.layout) for person in event.people)
        case ActionEvent():
            message.action.start_s, message.action.end_s = event.start_s, event.end_s
            message.action.first_frame_id, message.action.person_id = event.first_frame_id, event.person_id
            message.action.actions.extend(action_messages(event.actions))
            message.action.reason = event.reason or ""
        case SegmentEvent():
            message.segment.CopyFrom(segment_message(event.segment))
        case FrameErrorEvent():
            message.frame_error.code, message.frame_error.detail = event.code, event.detail
        case FlushedEvent():
            message.flushed.SetInParent()
    return message


def started_message(plan: VideoPlan, credits: Credits) -> pb.StreamVideoResponse:
    """Returns the first event of a stream."""
    started = pb.StreamStarted(
        **_choice_fields(plan.choice),
        layout=layout_message(plan.layout, plan.model.card.has_depth),
        clip_frames=plan.frames,
        sample_interval_s=plan.interval_s,
    )
    return pb.StreamVideoResponse(started=started, received_frames=credits.received, credits=credits.free)


_EFFORTS: dict[int, Effort] = {
    pb.EFFORT_FAST: "fast",
    pb.EFFORT_BALANCED: "balanced",
    pb.EFFORT_BEST: "best",
}
_FOLLOWED = {pb.FOLLOWING_ALL: "all", pb.FOLLOWING_BOXES: "boxes"}


def stream_options(config: pb.StreamConfig) -> StreamOptions:
    """Returns the options of a stream. Fields that are not set mean the default.

    Raises:
        InvalidArgument: A field has a value that its enum has not, as of a newer client.
    """
    _check_enum("drop_policy", pb.DropPolicy, config.drop_policy)
    _check_enum("following", pb.Following, config.following)
    if config.deadline_ms and not 1 <= config.deadline_ms <= LONGEST_DEADLINE_MS:
        raise InvalidArgument(f"deadline_ms must be from 1 to {LONGEST_DEADLINE_MS:g}; 0: any time")
    return StreamOptions(
        model=config.model or None,
        hop=config.hop or None,
        top_k=config.top_k or None,
        layout=config.layout or None,
        boxes=[box_of(config.box)] if config.HasField("box") else [],
        people=_FOLLOWED.get(config.following, "main"),
        max_people=config.max_people or None,
        smooth=config.smooth if config.HasField("smooth") else True,
        want_keypoints=config.want_keypoints,
        effort=_effort_of(config.effort),
        deadline_ms=config.deadline_ms or None,
        drop_policy="latest" if config.drop_policy == pb.DROP_POLICY_LATEST else "lossless",
    )


def received_of(message: pb.Frame, limits: FrameLimits) -> Frame | BadFrame:
    """Returns the frame of a message, or why it cannot be used."""
    kind, raw = message.WhichOneof("picture"), message.raw
    frame_id, time_ns = message.frame_id, message.timestamp_ns
    if kind is None:
        error = InvalidArgument("a frame must hold a picture: encoded bytes or raw pixels")
        return BadFrame(error, frame_id, time_ns)
    boxes = tuple(TrackedBox(tracked.id, box_of(tracked.box)) for tracked in message.boxes)
    picture, size = (raw.rgb, (raw.width, raw.height)) if kind == "raw" else (message.encoded, None)
    return received(Sent(picture, size, frame_id, time_ns, boxes), limits)
