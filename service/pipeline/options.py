"""Options of requests: one pydantic model for pictures and one for videos, for REST and gRPC alike."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from service.errors import InvalidArgument, quoted
from service.pipeline.effort import Effort
from service.video.frame import TrackedBox
from service.video.inbox import Policy
from service.vision.boxes import Box
from service.vision.camera import Camera

LONGEST_DEADLINE_MS = 3_600_000
_FORMS = {
    "boxes": "a list of [x, y, width, height] in pixels",
    "camera": 'an object {"fx": .., "fy": .., "cx": .., "cy": .., "root_depth_mm": ..} of numbers; with several boxes '
    "root_depth_mm may be a list of one for each",
    "timestamps_ms": "a list of numbers, a time in milliseconds for each frame",
}
_NUMBERS = {
    "min_score": "a number from 0 to 1",
    "fps": "a number from 0.001 to 1000",
    "deadline_ms": "a number from 1 to 3600000",
}
JSON_OPTIONS = ("boxes", "camera", "timestamps_ms")  # JSON text in queries and forms
_MUST = {  # by pydantic's kinds of errors
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of at most a few digits",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a text",
}


def _from_json(value: Any) -> Any:
    """Returns a list or an object; queries and forms carry it as JSON text."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("it is not JSON") from None
    return value


def _box(value: Any) -> Any:
    if isinstance(value, Box):
        return value
    if isinstance(value, list | tuple) and len(value) == 4 and not any(_is_no_number(number) for number in value):
        try:
            return Box(*map(float, value))
        except OverflowError:
            pass
    raise ValueError("it is no box")


def _is_no_number(value: Any) -> bool:
    return isinstance(value, bool) or not isinstance(value, int | float)


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("it is no number")
    return value


Number = Annotated[float, Field(strict=True)]
Count = Annotated[int, Field(ge=1), BeforeValidator(_no_bool)]
Rate = Annotated[float, Field(ge=0.001, le=1000), BeforeValidator(_no_bool)]
Time = Annotated[float, Field(strict=True, ge=-1e12, le=1e12)]
Times = Annotated[list[Time], BeforeValidator(_from_json, json_schema_input_type=list[float])]
Milliseconds = Annotated[float, Field(ge=1, le=LONGEST_DEADLINE_MS), BeforeValidator(_no_bool)]
Score = Annotated[float, Field(ge=0, le=1), BeforeValidator(_no_bool)]
BoxOption = Annotated[
    Box,
    BeforeValidator(_box, json_schema_input_type=tuple[float, float, float, float]),
]
Boxes = Annotated[list[BoxOption], BeforeValidator(_from_json, json_schema_input_type=list[BoxOption])]


class RequestOptions(BaseModel):
    """Options of all requests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = Field(None, description="name from /v1/models; absent: the default")
    layout: str | None = Field(None, description="joint layout of the answer; absent: the model's own")
    boxes: Boxes = Field(default=[], description="[x, y, width, height] of each, in pixels of the upright picture")
    max_people: Count | None = Field(None, description="largest number of people; absent: the service's limit")
    effort: Effort | None = Field(
        None, description="which model answers: a faster one, or a better one and, of pictures, a flip test"
    )
    deadline_ms: Milliseconds | None = Field(
        None, description="time that the answer may take; in streams each frame. A faster model is taken if need be"
    )

    @classmethod
    def of(cls, sent: dict[str, Any]) -> Self:
        """Returns the options of a request by name, as REST received them.

        Raises:
            InvalidArgument: An option is unknown or has a wrong value.
        """
        # An empty form field, or null in JSON, counts as absent; an option that is JSON text cannot be empty.
        given = {
            name: value for name, value in sent.items() if value is not None and (value != "" or name in JSON_OPTIONS)
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise InvalidArgument(cls._text_of(error.errors(include_url=False, include_context=True)[0])) from None

    @classmethod
    def _text_of(cls, error: ErrorDetails) -> str:
        name = str(error["loc"][0])
        if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
            return f"there is no option {quoted(name)}; there are {', '.join(cls.model_fields)}"
        if name in _FORMS:
            return f"{name} must be {_FORMS[name]}"
        if name in _NUMBERS:
            return f"{name} must be {_NUMBERS[name]}, not {quoted(error['input'])}"
        if error["type"] == "greater_than_equal":
            return f"{name} must be at least {error['ctx']['ge']}"
        must = error["ctx"]["expected"] if error["type"] == "literal_error" else _MUST.get(error["type"], "a number")
        return f"{name} must be {must}, not {quoted(error['input'])}"


class CameraOption(BaseModel):
    """A pinhole camera: fx, fy, cx, cy in pixels of the upright picture, and the pelvis' depth on the optical axis."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fx: Number
    fy: Number
    cx: Number
    cy: Number
    root_depth_mm: Number | list[Number] = Field(description="one number, or one for each box")

    def as_camera(self) -> Camera:
        depths = self.root_depth_mm if isinstance(self.root_depth_mm, list) else [self.root_depth_mm]
        return Camera(self.fx, self.fy, self.cx, self.cy, tuple(depths))


class PictureOptions(RequestOptions):
    """Options of `/v1/pose` and `EstimatePose`."""

    camera: Annotated[CameraOption | None, BeforeValidator(_from_json, json_schema_input_type=CameraOption | None)] = (
        Field(
            None,
            description="places each joint in space; for models that know or lift depth",
            examples=[{"fx": 1145, "fy": 1145, "cx": 320, "cy": 240, "root_depth_mm": 4000}],
        )
    )
    flip: bool = Field(False, description="average with the mirrored picture; twice the work")
    min_score: Score | None = Field(
        None,
        description="without boxes: lowest score of a person; absent: poses with a mean keypoint score below 0.3 are "
        "left out",
    )


class VideoOptions(RequestOptions):
    """Options of all videos."""

    hop: Count | None = Field(None, description="sampled frames between two windows; absent: a quarter of a window")
    top_k: Count | None = Field(None, description="how many actions to name; absent: 5")
    people: Literal["main", "all"] = Field("main", description="tracked people: the main one, or all, each with an id")
    smooth: bool = Field(True, description="One-Euro filter on the joints of pose events; false: with jitter")

    @property
    def box(self) -> Box | None:
        """The person's box in the first frame, if one was sent.

        Raises:
            InvalidArgument: There is more than one.
        """
        if len(self.boxes) > 1:
            raise InvalidArgument("a video takes one box: where the person is in its first frame")
        return self.boxes[0] if self.boxes else None


class UploadOptions(VideoOptions):
    """Options of `/v1/actions`."""

    fps: Rate | None = Field(None, description="of a clip that is sent as frames: how many there are a second")
    timestamps_ms: Times | None = Field(None, description="instead of `fps`: the time of each frame; they rise")


class TrackedBoxOption(BaseModel):
    """A person in a frame: the caller's id, and where they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[int, Field(ge=0, lt=2**32, strict=True)]
    box: BoxOption


class StreamOptions(VideoOptions):
    """Options of `WS /v1/stream`, `StreamVideo` and `ClassifyClip`."""

    people: Literal["main", "all", "boxes"] = Field(  # type: ignore[assignment] # more than of uploads
        "main", description="whom to follow: the main person, all with an id each, or those in the frames' boxes"
    )
    want_keypoints: bool = Field(False, description="a pose event for every frame, not only for the sampled ones")
    drop_policy: Policy = Field(
        "lossless", description="where frames come too fast: they wait, or only the latest is kept"
    )


class TrackedBoxes(BaseModel):
    """The people in a frame whom the caller tracks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    boxes: list[TrackedBoxOption]

    @classmethod
    def of(cls, sent: dict[str, Any]) -> Self:
        """Raises `InvalidArgument` where what was sent is not that."""
        try:
            return cls.model_validate(sent)
        except ValidationError:
            raise InvalidArgument(
                'boxes must be a list of {"id": a whole number from 0, "box": [x, y, width, height] in pixels}'
            ) from None

    def as_tracked(self) -> tuple[TrackedBox, ...]:
        return tuple(TrackedBox(tracked.id, tracked.box) for tracked in self.boxes)


def people_limit(wanted: int | None, largest: int) -> int:
    """Returns the number of people asked for, or else the service's limit.

    Raises:
        InvalidArgument: It is not within 1 and the limit.
    """
    if wanted is not None and not 1 <= wanted <= largest:
        raise InvalidArgument(f"max_people must be between 1 and {largest}")
    return wanted or largest
