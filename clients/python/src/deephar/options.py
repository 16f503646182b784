"""Options of the calls, as both transports need them. None and empty values mean the service's defaults."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from deephar.errors import InvalidArgument

BoxLike: TypeAlias = Sequence[float]  # x, y, width, height in pixels of the upright picture
Effort: TypeAlias = Literal["fast", "balanced", "best"]
People: TypeAlias = Literal["main", "all", "boxes"]
DropPolicy: TypeAlias = Literal["lossless", "latest"]

_MOST = 2**31  # more than any number of the options can be


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera without distortion.

    Attributes:
        fx: Focal length in pixels of the upright picture; so are fy, cx and cy.
        fy: The same, vertically.
        cx: Principal point.
        cy: The same, vertically.
        root_depth_mm: Depth of the pelvis along the optical axis: one number, or one for each box.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    root_depth_mm: float | Sequence[float]

    @property
    def depths_mm(self) -> list[float]:
        depth = self.root_depth_mm
        return [float(value) for value in depth] if isinstance(depth, Iterable) else [float(depth)]

    def to_dict(self) -> dict[str, Any]:
        depths = self.depths_mm
        depth = depths[0] if len(depths) == 1 else depths
        pinhole = {name: float(getattr(self, name)) for name in ("fx", "fy", "cx", "cy")}
        return {**pinhole, "root_depth_mm": depth}


@dataclass(frozen=True, slots=True)
class PoseOptions:
    """Options of `pose`."""

    model: str = ""
    boxes: Sequence[BoxLike] = ()
    layout: str = ""
    camera: Camera | None = None
    max_people: int = 0
    flip: bool = False
    min_score: float | None = None
    effort: Effort | None = None

    def __post_init__(self) -> None:
        _refuse_unknown("effort", self.effort, (None, *get_args(Effort)))
        _refuse_bad_number("max_people", self.max_people)
        for box in self.boxes:
            _refuse_bad_box(box)

    def to_query(self) -> dict[str, str]:
        """Returns the options that are set, as REST takes them in a query."""
        sent: dict[str, Any] = {"model": self.model, "layout": self.layout, "effort": self.effort}
        sent |= {"boxes": [[float(side) for side in box] for box in self.boxes], "max_people": self.max_people}
        sent |= {"camera": self.camera.to_dict() if self.camera else None, "flip": self.flip}
        return _texts(sent) | ({} if self.min_score is None else {"min_score": str(self.min_score)})


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """Options of `classify` and `stream`."""

    model: str = ""
    top_k: int = 0
    hop: int = 0
    people: People = "main"
    box: BoxLike | None = None
    layout: str = ""
    effort: Effort | None = None
    max_people: int = 0
    smooth: bool = True
    want_keypoints: bool = False
    drop_policy: DropPolicy = "lossless"
    deadline_ms: float = 0.0

    def __post_init__(self) -> None:
        _refuse_unknown("effort", self.effort, (None, *get_args(Effort)))
        _refuse_unknown("people", self.people, get_args(People))
        _refuse_unknown("drop_policy", self.drop_policy, get_args(DropPolicy))
        for name in ("top_k", "hop", "max_people"):
            _refuse_bad_number(name, getattr(self, name))
        if self.box is not None:
            _refuse_bad_box(self.box)

    def to_query(self) -> dict[str, str]:
        """Returns the options of an uploaded video that are set, as REST takes them in a query."""
        config = self.to_config()
        return _texts({name: value for name, value in config.items() if name not in ("want_keypoints", "drop_policy")})

    def to_config(self) -> dict[str, Any]:
        """Returns the options that are set, as the config of a stream over a WebSocket takes them."""
        sent: dict[str, Any] = {
            "model": self.model,
            "top_k": self.top_k,
            "hop": self.hop,
            "people": self.people if self.people != "main" else None,
            "boxes": [[float(side) for side in self.box]] if self.box is not None else None,
            "layout": self.layout,
            "effort": self.effort,
            "max_people": self.max_people,
            "want_keypoints": self.want_keypoints,
            "drop_policy": self.drop_policy if self.drop_policy != "lossless" else None,
            "deadline_ms": self.deadline_ms,
        }
        return {name: value for name, value in sent.items() if value} | ({} if self.smooth else {"smooth": False})


def _refuse_unknown(name: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known:
        words = ", ".join(str(word) for word in known if word is not None)
        raise InvalidArgument("invalid_argument", f"{name} must be one of {words}, not {value!r}")


def _refuse_bad_number(name: str, value: int) -> None:
    if not isinstance(value, int) or not 0 <= value < _MOST:
        raise InvalidArgument("invalid_argument", f"{name} must be a whole number from 0, not {value!r}")


def _refuse_bad_box(box: BoxLike) -> None:
    if len(box) != 4:
        raise InvalidArgument("invalid_argument", f"a box must be x, y, width, height in pixels, not {box!r}")


def _texts(sent: dict[str, Any]) -> dict[str, str]:
    """Returns the values that are set as texts: lists, objects and truth values as JSON."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in sent.items()
        if value or (value is False and name == "smooth")
    }
