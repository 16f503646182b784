from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Unit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNIT_UNSPECIFIED: _ClassVar[Unit]
    UNIT_PX: _ClassVar[Unit]
    UNIT_MM_FROM_ROOT: _ClassVar[Unit]

class Effort(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EFFORT_UNSPECIFIED: _ClassVar[Effort]
    EFFORT_FAST: _ClassVar[Effort]
    EFFORT_BALANCED: _ClassVar[Effort]
    EFFORT_BEST: _ClassVar[Effort]

class DropPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DROP_POLICY_UNSPECIFIED: _ClassVar[DropPolicy]
    DROP_POLICY_LOSSLESS: _ClassVar[DropPolicy]
    DROP_POLICY_LATEST: _ClassVar[DropPolicy]

class Following(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FOLLOWING_UNSPECIFIED: _ClassVar[Following]
    FOLLOWING_MAIN: _ClassVar[Following]
    FOLLOWING_ALL: _ClassVar[Following]
    FOLLOWING_BOXES: _ClassVar[Following]
UNIT_UNSPECIFIED: Unit
UNIT_PX: Unit
UNIT_MM_FROM_ROOT: Unit
EFFORT_UNSPECIFIED: Effort
EFFORT_FAST: Effort
EFFORT_BALANCED: Effort
EFFORT_BEST: Effort
DROP_POLICY_UNSPECIFIED: DropPolicy
DROP_POLICY_LOSSLESS: DropPolicy
DROP_POLICY_LATEST: DropPolicy
FOLLOWING_UNSPECIFIED: Following
FOLLOWING_MAIN: Following
FOLLOWING_ALL: Following
FOLLOWING_BOXES: Following

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models", "incomplete")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    incomplete: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., incomplete: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "version", "ready", "description", "layout", "dimensions", "input_size", "actions", "clip_frames", "sample_interval_s", "weights", "licence", "missing", "crop_margin", "weights_sha256")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    INPUT_SIZE_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    CLIP_FRAMES_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    CROP_MARGIN_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_SHA256_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    ready: bool
    description: str
    layout: Layout
    dimensions: int
    input_size: int
    actions: _containers.RepeatedScalarFieldContainer[str]
    clip_frames: int
    sample_interval_s: float
    weights: str
    licence: str
    missing: _containers.RepeatedScalarFieldContainer[str]
    crop_margin: float
    weights_sha256: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., ready: _Optional[bool] = ..., description: _Optional[str] = ..., layout: _Optional[_Union[Layout, _Mapping]] = ..., dimensions: _Optional[int] = ..., input_size: _Optional[int] = ..., actions: _Optional[_Iterable[str]] = ..., clip_frames: _Optional[int] = ..., sample_interval_s: _Optional[float] = ..., weights: _Optional[str] = ..., licence: _Optional[str] = ..., missing: _Optional[_Iterable[str]] = ..., crop_margin: _Optional[float] = ..., weights_sha256: _Optional[str] = ...) -> None: ...

class Layout(_message.Message):
    __slots__ = ("name", "joints", "edges", "units")
    NAME_FIELD_NUMBER: _ClassVar[int]
    JOINTS_FIELD_NUMBER: _ClassVar[int]
    EDGES_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    name: str
    joints: _containers.RepeatedScalarFieldContainer[str]
    edges: _containers.RepeatedCompositeFieldContainer[Edge]
    units: Units
    def __init__(self, name: _Optional[str] = ..., joints: _Optional[_Iterable[str]] = ..., edges: _Optional[_Iterable[_Union[Edge, _Mapping]]] = ..., units: _Optional[_Union[Units, _Mapping]] = ...) -> None: ...

class Units(_message.Message):
    __slots__ = ("x", "y", "z")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    Z_FIELD_NUMBER: _ClassVar[int]
    x: Unit
    y: Unit
    z: Unit
    def __init__(self, x: _Optional[_Union[Unit, str]] = ..., y: _Optional[_Union[Unit, str]] = ..., z: _Optional[_Union[Unit, str]] = ...) -> None: ...

class Edge(_message.Message):
    __slots__ = ("to",)
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    to: int
    def __init__(self, to: _Optional[int] = ..., **kwargs) -> None: ...

class Box(_message.Message):
    __slots__ = ("x", "y", "width", "height")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    width: float
    height: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ..., width: _Optional[float] = ..., height: _Optional[float] = ...) -> None: ...

class Keypoint(_message.Message):
    __slots__ = ("name", "x", "y", "z", "score", "position_mm")
    NAME_FIELD_NUMBER: _ClassVar[int]
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    Z_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    POSITION_MM_FIELD_NUMBER: _ClassVar[int]
    name: str
    x: float
    y: float
    z: float
    score: float
    position_mm: Position
    def __init__(self, name: _Optional[str] = ..., x: _Optional[float] = ..., y: _Optional[float] = ..., z: _Optional[float] = ..., score: _Optional[float] = ..., position_mm: _Optional[_Union[Position, _Mapping]] = ...) -> None: ...

class Position(_message.Message):
    __slots__ = ("x", "y", "z")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    Z_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    z: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ..., z: _Optional[float] = ...) -> None: ...

class Person(_message.Message):
    __slots__ = ("box", "score", "keypoints", "id", "detection_score")
    BOX_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    KEYPOINTS_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    DETECTION_SCORE_FIELD_NUMBER: _ClassVar[int]
    box: Box
    score: float
    keypoints: _containers.RepeatedCompositeFieldContainer[Keypoint]
    id: int
    detection_score: float
    def __init__(self, box: _Optional[_Union[Box, _Mapping]] = ..., score: _Optional[float] = ..., keypoints: _Optional[_Iterable[_Union[Keypoint, _Mapping]]] = ..., id: _Optional[int] = ..., detection_score: _Optional[float] = ...) -> None: ...

class EstimatePoseRequest(_message.Message):
    __slots__ = ("image", "model", "boxes", "layout", "camera", "max_people", "flip", "min_score", "effort")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    BOXES_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    MAX_PEOPLE_FIELD_NUMBER: _ClassVar[int]
    FLIP_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    model: str
    boxes: _containers.RepeatedCompositeFieldContainer[Box]
    layout: str
    camera: Camera
    max_people: int
    flip: bool
    min_score: float
    effort: Effort
    def __init__(self, image: _Optional[bytes] = ..., model: _Optional[str] = ..., boxes: _Optional[_Iterable[_Union[Box, _Mapping]]] = ..., layout: _Optional[str] = ..., camera: _Optional[_Union[Camera, _Mapping]] = ..., max_people: _Optional[int] = ..., flip: _Optional[bool] = ..., min_score: _Optional[float] = ..., effort: _Optional[_Union[Effort, str]] = ...) -> None: ...

class Camera(_message.Message):
    __slots__ = ("fx", "fy", "cx", "cy", "root_depth_mm")
    FX_FIELD_NUMBER: _ClassVar[int]
    FY_FIELD_NUMBER: _ClassVar[int]
    CX_FIELD_NUMBER: _ClassVar[int]
    CY_FIELD_NUMBER: _ClassVar[int]
    ROOT_DEPTH_MM_FIELD_NUMBER: _ClassVar[int]
    fx: float
    fy: float
    cx: float
    cy: float
    root_depth_mm: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, fx: _Optional[float] = ..., fy: _Optional[float] = ..., cx: _Optional[float] = ..., cy: _Optional[float] = ..., root_depth_mm: _Optional[_Iterable[float]] = ...) -> None: ...

class EstimatePoseResponse(_message.Message):
    __slots__ = ("model", "version", "image_width", "image_height", "layout", "people", "timing_ms", "effort", "effort_reason")
    class TimingMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    IMAGE_WIDTH_FIELD_NUMBER: _ClassVar[int]
    IMAGE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    PEOPLE_FIELD_NUMBER: _ClassVar[int]
    TIMING_MS_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    EFFORT_REASON_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    image_width: int
    image_height: int
    layout: Layout
    people: _containers.RepeatedCompositeFieldContainer[Person]
    timing_ms: _containers.ScalarMap[str, float]
    effort: Effort
    effort_reason: str
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., image_width: _Optional[int] = ..., image_height: _Optional[int] = ..., layout: _Optional[_Union[Layout, _Mapping]] = ..., people: _Optional[_Iterable[_Union[Person, _Mapping]]] = ..., timing_ms: _Optional[_Mapping[str, float]] = ..., effort: _Optional[_Union[Effort, str]] = ..., effort_reason: _Optional[str] = ...) -> None: ...

class StreamConfig(_message.Message):
    __slots__ = ("model", "hop", "top_k", "layout", "want_keypoints", "drop_policy", "box", "following", "max_people", "smooth", "effort", "deadline_ms")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    HOP_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    WANT_KEYPOINTS_FIELD_NUMBER: _ClassVar[int]
    DROP_POLICY_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    FOLLOWING_FIELD_NUMBER: _ClassVar[int]
    MAX_PEOPLE_FIELD_NUMBER: _ClassVar[int]
    SMOOTH_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    model: str
    hop: int
    top_k: int
    layout: str
    want_keypoints: bool
    drop_policy: DropPolicy
    box: Box
    following: Following
    max_people: int
    smooth: bool
    effort: Effort
    deadline_ms: float
    def __init__(self, model: _Optional[str] = ..., hop: _Optional[int] = ..., top_k: _Optional[int] = ..., layout: _Optional[str] = ..., want_keypoints: _Optional[bool] = ..., drop_policy: _Optional[_Union[DropPolicy, str]] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., following: _Optional[_Union[Following, str]] = ..., max_people: _Optional[int] = ..., smooth: _Optional[bool] = ..., effort: _Optional[_Union[Effort, str]] = ..., deadline_ms: _Optional[float] = ...) -> None: ...

class RawImage(_message.Message):
    __slots__ = ("rgb", "width", "height")
    RGB_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    rgb: bytes
    width: int
    height: int
    def __init__(self, rgb: _Optional[bytes] = ..., width: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("encoded", "raw", "frame_id", "timestamp_ns", "boxes")
    ENCODED_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    BOXES_FIELD_NUMBER: _ClassVar[int]
    encoded: bytes
    raw: RawImage
    frame_id: int
    timestamp_ns: int
    boxes: _containers.RepeatedCompositeFieldContainer[TrackedBox]
    def __init__(self, encoded: _Optional[bytes] = ..., raw: _Optional[_Union[RawImage, _Mapping]] = ..., frame_id: _Optional[int] = ..., timestamp_ns: _Optional[int] = ..., boxes: _Optional[_Iterable[_Union[TrackedBox, _Mapping]]] = ...) -> None: ...

class TrackedBox(_message.Message):
    __slots__ = ("id", "box")
    ID_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    id: int
    box: Box
    def __init__(self, id: _Optional[int] = ..., box: _Optional[_Union[Box, _Mapping]] = ...) -> None: ...

class Flush(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StreamVideoRequest(_message.Message):
    __slots__ = ("config", "frame", "flush")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    FLUSH_FIELD_NUMBER: _ClassVar[int]
    config: StreamConfig
    frame: Frame
    flush: Flush
    def __init__(self, config: _Optional[_Union[StreamConfig, _Mapping]] = ..., frame: _Optional[_Union[Frame, _Mapping]] = ..., flush: _Optional[_Union[Flush, _Mapping]] = ...) -> None: ...

class ActionScore(_message.Message):
    __slots__ = ("label", "score")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    label: str
    score: float
    def __init__(self, label: _Optional[str] = ..., score: _Optional[float] = ...) -> None: ...

class Segment(_message.Message):
    __slots__ = ("start_s", "end_s", "label", "score", "person_id")
    START_S_FIELD_NUMBER: _ClassVar[int]
    END_S_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PERSON_ID_FIELD_NUMBER: _ClassVar[int]
    start_s: float
    end_s: float
    label: str
    score: float
    person_id: int
    def __init__(self, start_s: _Optional[float] = ..., end_s: _Optional[float] = ..., label: _Optional[str] = ..., score: _Optional[float] = ..., person_id: _Optional[int] = ...) -> None: ...

class PersonActions(_message.Message):
    __slots__ = ("person_id", "actions", "reason")
    PERSON_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    person_id: int
    actions: _containers.RepeatedCompositeFieldContainer[ActionScore]
    reason: str
    def __init__(self, person_id: _Optional[int] = ..., actions: _Optional[_Iterable[_Union[ActionScore, _Mapping]]] = ..., reason: _Optional[str] = ...) -> None: ...

class ClassifyClipResponse(_message.Message):
    __slots__ = ("model", "version", "actions", "segments", "frames", "timing_ms", "people", "reason", "effort", "effort_reason")
    class TimingMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    TIMING_MS_FIELD_NUMBER: _ClassVar[int]
    PEOPLE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    EFFORT_REASON_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    actions: _containers.RepeatedCompositeFieldContainer[ActionScore]
    segments: _containers.RepeatedCompositeFieldContainer[Segment]
    frames: int
    timing_ms: _containers.ScalarMap[str, float]
    people: _containers.RepeatedCompositeFieldContainer[PersonActions]
    reason: str
    effort: Effort
    effort_reason: str
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., actions: _Optional[_Iterable[_Union[ActionScore, _Mapping]]] = ..., segments: _Optional[_Iterable[_Union[Segment, _Mapping]]] = ..., frames: _Optional[int] = ..., timing_ms: _Optional[_Mapping[str, float]] = ..., people: _Optional[_Iterable[_Union[PersonActions, _Mapping]]] = ..., reason: _Optional[str] = ..., effort: _Optional[_Union[Effort, str]] = ..., effort_reason: _Optional[str] = ...) -> None: ...

class PoseEvent(_message.Message):
    __slots__ = ("people",)
    PEOPLE_FIELD_NUMBER: _ClassVar[int]
    people: _containers.RepeatedCompositeFieldContainer[Person]
    def __init__(self, people: _Optional[_Iterable[_Union[Person, _Mapping]]] = ...) -> None: ...

class ActionEvent(_message.Message):
    __slots__ = ("start_s", "end_s", "first_frame_id", "actions", "person_id", "reason")
    START_S_FIELD_NUMBER: _ClassVar[int]
    END_S_FIELD_NUMBER: _ClassVar[int]
    FIRST_FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    PERSON_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    start_s: float
    end_s: float
    first_frame_id: int
    actions: _containers.RepeatedCompositeFieldContainer[ActionScore]
    person_id: int
    reason: str
    def __init__(self, start_s: _Optional[float] = ..., end_s: _Optional[float] = ..., first_frame_id: _Optional[int] = ..., actions: _Optional[_Iterable[_Union[ActionScore, _Mapping]]] = ..., person_id: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class StreamVideoResponse(_message.Message):
    __slots__ = ("frame_id", "timestamp_ns", "lag_ms", "dropped_frames", "pose", "action", "segment", "frame_error", "flushed", "started", "received_frames", "credits")
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_NS_FIELD_NUMBER: _ClassVar[int]
    LAG_MS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FRAMES_FIELD_NUMBER: _ClassVar[int]
    POSE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    FRAME_ERROR_FIELD_NUMBER: _ClassVar[int]
    FLUSHED_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FRAMES_FIELD_NUMBER: _ClassVar[int]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    frame_id: int
    timestamp_ns: int
    lag_ms: float
    dropped_frames: int
    pose: PoseEvent
    action: ActionEvent
    segment: Segment
    frame_error: FrameError
    flushed: Flushed
    started: StreamStarted
    received_frames: int
    credits: int
    def __init__(self, frame_id: _Optional[int] = ..., timestamp_ns: _Optional[int] = ..., lag_ms: _Optional[float] = ..., dropped_frames: _Optional[int] = ..., pose: _Optional[_Union[PoseEvent, _Mapping]] = ..., action: _Optional[_Union[ActionEvent, _Mapping]] = ..., segment: _Optional[_Union[Segment, _Mapping]] = ..., frame_error: _Optional[_Union[FrameError, _Mapping]] = ..., flushed: _Optional[_Union[Flushed, _Mapping]] = ..., started: _Optional[_Union[StreamStarted, _Mapping]] = ..., received_frames: _Optional[int] = ..., credits: _Optional[int] = ...) -> None: ...

class FrameError(_message.Message):
    __slots__ = ("code", "detail")
    CODE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    code: str
    detail: str
    def __init__(self, code: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class Flushed(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StreamStarted(_message.Message):
    __slots__ = ("model", "version", "layout", "clip_frames", "sample_interval_s", "effort", "effort_reason")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    CLIP_FRAMES_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    EFFORT_REASON_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    layout: Layout
    clip_frames: int
    sample_interval_s: float
    effort: Effort
    effort_reason: str
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., layout: _Optional[_Union[Layout, _Mapping]] = ..., clip_frames: _Optional[int] = ..., sample_interval_s: _Optional[float] = ..., effort: _Optional[_Union[Effort, str]] = ..., effort_reason: _Optional[str] = ...) -> None: ...
