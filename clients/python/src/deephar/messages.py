"""Requests as gRPC's messages, and gRPC's messages as results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from deephar.events import ActionEvent, Event, Flushed, FrameErrorEvent, PoseEvent, SegmentEvent, Started
from deephar.frames import NS, Flush, Frame, pixels_of
from deephar.options import BoxLike, Camera, PoseOptions, VideoOptions
from deephar.results import (
    ActionsAnswer,
    ActionScore,
    Box,
    Keypoint,
    Layout,
    Model,
    Person,
    PersonActions,
    PoseAnswer,
    Segment,
    Size,
    VideoFacts,
)
from deephar.v1 import inference_pb2 as pb

_EFFORTS = {"fast": pb.EFFORT_FAST, "balanced": pb.EFFORT_BALANCED, "best": pb.EFFORT_BEST}
_EFFORT_NAMES = {number: name for name, number in _EFFORTS.items()}
_UNITS = {pb.UNIT_PX: "px", pb.UNIT_MM_FROM_ROOT: "mm_from_root"}
_FOLLOWING = {"main": pb.FOLLOWING_MAIN, "all": pb.FOLLOWING_ALL, "boxes": pb.FOLLOWING_BOXES}
_POLICIES = {"lossless": pb.DROP_POLICY_LOSSLESS, "latest": pb.DROP_POLICY_LATEST}


def pose_request(picture: bytes, options: PoseOptions) -> pb.EstimatePoseRequest:
    camera = options.camera
    return pb.EstimatePoseRequest(
        image=picture,
        model=options.model,
        boxes=[_box_message(box) for box in options.boxes],
        layout=options.layout,
        camera=None if camera is None else _camera_message(camera),
        max_people=options.max_people,
        flip=options.flip,
        min_score=options.min_score,
        effort=_EFFORTS[options.effort] if options.effort else pb.EFFORT_UNSPECIFIED,
    )


def config_request(options: VideoOptions) -> pb.StreamVideoRequest:
    config = pb.StreamConfig(
        model=options.model,
        hop=options.hop,
        top_k=options.top_k,
        layout=options.layout,
        want_keypoints=options.want_keypoints,
        drop_policy=_POLICIES[options.drop_policy],
        box=None if options.box is None else _box_message(options.box),
        following=_FOLLOWING[options.people],
        max_people=options.max_people,
        smooth=options.smooth,
        effort=_EFFORTS[options.effort] if options.effort else pb.EFFORT_UNSPECIFIED,
        deadline_ms=options.deadline_ms,
    )
    return pb.StreamVideoRequest(config=config)


def item_request(item: Frame | Flush) -> pb.StreamVideoRequest:
    """Returns the request that sends a frame or a flush."""
    if isinstance(item, Flush):
        return pb.StreamVideoRequest(flush=pb.Flush())
    frame = pb.Frame(
        frame_id=item.frame_id,
        timestamp_ns=item.time_ns,
        boxes=[pb.TrackedBox(id=person, box=_box_message(box)) for person, box in item.boxes],
    )
    if isinstance(item.picture, bytes):
        frame.encoded = item.picture
    else:
        rgb, size = pixels_of(item.picture)
        frame.raw.CopyFrom(pb.RawImage(rgb=rgb, width=size.width, height=size.height))
    return pb.StreamVideoRequest(frame=frame)


def models_of(message: pb.ListModelsResponse) -> list[Model]:
    return [_model(model) for model in (*message.models, *message.incomplete)]


def _model(message: pb.Model) -> Model:
    card: dict[str, Any] = {
        "model": message.name,
        "description": message.description,
        "layout": message.layout.name,
        "dims": message.dimensions,
        "crop": {"size": message.input_size},
        "weights": message.weights,
        "licence": message.licence,
    }
    if message.crop_margin:  # older services do not say it
        card["crop"]["margin"] = message.crop_margin
        card["weights_sha256"] = message.weights_sha256
    if message.clip_frames:
        clip = {"frames": message.clip_frames, "interval_s": message.sample_interval_s}
        card["clip"] = {**clip, "labels": list(message.actions)}
    return Model(message.name, message.version, message.ready, card, layout_of(message.layout), tuple(message.missing))


def pose_answer(message: pb.EstimatePoseResponse) -> PoseAnswer:
    return PoseAnswer(
        **choice_of(message),
        image=Size(message.image_width, message.image_height),
        layout=layout_of(message.layout),
        people=tuple(_person(person, in_video=False) for person in message.people),
        timing_ms=dict(message.timing_ms),
    )


def actions_answer(message: pb.ClassifyClipResponse, video: VideoFacts) -> ActionsAnswer:
    """Returns the answer for a clip, whose properties the client knows."""
    return ActionsAnswer(
        **choice_of(message),
        video=video,
        actions=_actions(message.actions),
        reason=message.reason or None,
        people=tuple(
            PersonActions(person.person_id, _actions(person.actions), person.reason or None)
            for person in message.people
        ),
        segments=tuple(_segment(segment) for segment in message.segments),
        timing_ms=dict(message.timing_ms),
    )


def event_of(message: pb.StreamVideoResponse) -> Event | None:
    """Returns the event in a message; None: it has numbers alone, or an event that this client does not know."""
    read = _EVENTS.get(message.WhichOneof("event") or "")
    return None if read is None else read(message)


def _at(message: pb.StreamVideoResponse) -> tuple[int, float, float, int]:
    return message.frame_id, message.timestamp_ns / NS, message.lag_ms, message.dropped_frames


def _started(message: pb.StreamVideoResponse) -> Started:
    started = message.started
    return Started(
        **choice_of(started),
        layout=layout_of(started.layout),
        clip_frames=started.clip_frames,
        sample_interval_s=started.sample_interval_s,
    )


def _pose_event(message: pb.StreamVideoResponse) -> PoseEvent:
    return PoseEvent(*_at(message), tuple(_person(person, in_video=True) for person in message.pose.people))


def _action_event(message: pb.StreamVideoResponse) -> ActionEvent:
    action = message.action
    span = (action.start_s, action.end_s, action.first_frame_id)
    return ActionEvent(*_at(message), action.person_id, *span, _actions(action.actions), action.reason or None)


def _segment_event(message: pb.StreamVideoResponse) -> SegmentEvent:
    segment = message.segment
    span = (segment.start_s, segment.end_s)
    return SegmentEvent(*_at(message), *span, segment.label, segment.score, segment.person_id)


def _frame_error(message: pb.StreamVideoResponse) -> FrameErrorEvent:
    return FrameErrorEvent(*_at(message), message.frame_error.code, message.frame_error.detail)


_EVENTS: dict[str, Callable[[pb.StreamVideoResponse], Event]] = {
    "started": _started,
    "pose": _pose_event,
    "action": _action_event,
    "segment": _segment_event,
    "frame_error": _frame_error,
    "flushed": lambda message: Flushed(*_at(message)),
}


def _box_message(box: BoxLike) -> pb.Box:
    x, y, width, height = box
    return pb.Box(x=x, y=y, width=width, height=height)


def _camera_message(camera: Camera) -> pb.Camera:
    return pb.Camera(fx=camera.fx, fy=camera.fy, cx=camera.cx, cy=camera.cy, root_depth_mm=camera.depths_mm)


def choice_of(message: pb.EstimatePoseResponse | pb.ClassifyClipResponse | pb.StreamStarted) -> dict[str, Any]:
    """Returns which model has answered, as arguments of a result."""
    return {
        "model": message.model,
        "version": message.version,
        "effort": _EFFORT_NAMES.get(message.effort),
        "effort_reason": message.effort_reason or None,
    }


def layout_of(message: pb.Layout) -> Layout:
    units = {axis: _UNITS.get(getattr(message.units, axis)) for axis in "xyz"}
    return Layout(
        message.name,
        tuple(message.joints),
        tuple((getattr(edge, "from"), edge.to) for edge in message.edges),
        {axis: unit for axis, unit in units.items() if unit},
    )


def _person(message: pb.Person, in_video: bool) -> Person:
    box = message.box
    return Person(
        Box(box.x, box.y, box.width, box.height),
        message.score,
        message.detection_score if message.HasField("detection_score") else None,
        tuple(_keypoint(point) for point in message.keypoints),
        message.id if in_video else None,
    )


def _keypoint(message: pb.Keypoint) -> Keypoint:
    place = message.position_mm
    return Keypoint(
        message.name,
        _coordinate(message, "x"),
        _coordinate(message, "y"),
        message.z if message.HasField("z") else None,
        message.score,
        (place.x, place.y, place.z) if message.HasField("position_mm") else None,
    )


def _coordinate(message: pb.Keypoint, name: Literal["x", "y"]) -> float | None:
    """Returns x or y; None of a joint that the model lacks. Older services leave out what is 0, with a score."""
    if not message.HasField(name) and not message.score:
        return None
    value: float = getattr(message, name)
    return value


def _actions(messages: Iterable[pb.ActionScore]) -> tuple[ActionScore, ...]:
    return tuple(ActionScore(message.label, message.score) for message in messages)


def _segment(message: pb.Segment) -> Segment:
    return Segment(message.start_s, message.end_s, message.label, message.score, message.person_id)
