"""The card of a model: its description as JSON, in the parameter `card` of `<model>_frame`'s Triton configuration."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.networks.score_rule import ScoreRule
from service.networks.tensors import ACTION_FEATURES, BOX_SCORES, BOXES, IMAGE, KEYPOINT_SCORES, KEYPOINTS
from service.vision.layouts import LAYOUTS


class CropRule(BaseModel):
    """The square crop around a person that is the frame network's input."""

    model_config = ConfigDict(frozen=True)

    size: int = Field(gt=0, description="side of the input, pixels")
    margin: float = Field(gt=0, description="side of the crop over the longer side of the person's box")


class ClipRule(BaseModel):
    """The window that is the clip network's input, and the labels in the order of its scores."""

    model_config = ConfigDict(frozen=True)

    frames: int = Field(gt=0)
    interval_s: float = Field(gt=0, description="media time between two sampled frames")
    labels: tuple[str, ...]


class Cut(BaseModel):
    """The prediction blocks that run: fewer are faster and less exact."""

    model_config = ConfigDict(frozen=True)

    used: int = Field(gt=0)
    all: int = Field(gt=0)


class LiftRule(BaseModel):
    """How depth is lifted from the 2D joints: an estimate, not a measurement."""

    model_config = ConfigDict(frozen=True)

    stature_mm: float = Field(gt=0, description="depths are those of a person of this stature")
    trained_on: str


class PersonCard(BaseModel):
    """The card of the detector `person`. Its input is the whole picture: it has no layout and no crop."""

    model_config = ConfigDict(frozen=True)

    description: str
    size: int = Field(gt=0, description="side of the letterbox, pixels")
    threshold: float = Field(ge=0, le=1, description="lowest score of a detection")
    overlap: float = Field(gt=0, le=1, description="largest IoU of two detections, for NMS")
    weights: str
    weights_sha256: str
    licence: str
    precision: str = "fp32"


class Card(BaseModel):
    """The card of a model. The frame network answers K joints of `layout` in `dims` dimensions."""

    model_config = ConfigDict(frozen=True)

    model: str
    description: str
    layout: str
    dims: Literal[2, 3]
    crop: CropRule
    clip: ClipRule | None = None
    lift: LiftRule | None = None
    score: ScoreRule | None = Field(None, description="of detected people; absent: their mean keypoint score")
    blocks: Cut | None = None
    depth_scale_mm: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="depth of the crop: z from 0 to 1; only where dims is 3"
    )
    weights: str = Field(description="where the weights come from")
    weights_sha256: str
    licence: str
    precision: str = "fp32"

    @model_validator(mode="after")
    def depth_goes_with_three_dimensions(self) -> Self:
        if self.dims == 3 and self.depth_scale_mm is None:
            raise ValueError("a card with dims 3 must have depth_scale_mm")
        if self.dims == 2 and self.depth_scale_mm is not None:
            raise ValueError("a card with dims 2 must not have depth_scale_mm")
        if self.dims == 2 and self.lift is not None:
            raise ValueError("a card with dims 2 must not have a lift")
        return self

    @property
    def has_depth(self) -> bool:
        """Whether the keypoints have z."""
        return self.dims == 3


def check_detector(card: PersonCard, inputs: dict[str, list[int]], outputs: set[str]) -> None:
    """Raises `ValueError` where the detector's inputs or outputs are not those of its card."""
    if inputs != {IMAGE: [card.size, card.size, 3]}:
        raise ValueError(f"the card promises pictures of {card.size} x {card.size} pixels, the network has {inputs}")
    if not outputs >= {BOXES, BOX_SCORES}:
        raise ValueError("the network has no outputs boxes and box_scores")


def check_frame(card: Card, inputs: dict[str, list[int]], outputs: dict[str, list[int]]) -> None:
    """Raises `ValueError` where the frame network's inputs or outputs are not those of its card."""
    size = [card.crop.size, card.crop.size, 3]
    if inputs != {IMAGE: size}:
        raise ValueError(f"the card promises the input {IMAGE} of shape {size}, the network has {inputs}")
    _check_keypoints(card, outputs)
    joints = outputs[KEYPOINTS][0]
    if outputs.get(KEYPOINT_SCORES) != [joints]:
        raise ValueError(f"the network has no output {KEYPOINT_SCORES} of shape [{joints}]")
    if card.clip is not None and ACTION_FEATURES not in outputs:
        raise ValueError(f"the card promises actions, and the network has no output {ACTION_FEATURES}")


def _check_keypoints(card: Card, outputs: dict[str, list[int]]) -> None:
    if card.layout not in LAYOUTS:
        raise ValueError(f"there is no layout {card.layout!r}; choose one of {', '.join(sorted(LAYOUTS))}")
    if KEYPOINTS not in outputs:
        raise ValueError(f"the network has no output {KEYPOINTS}")
    promised = [len(LAYOUTS[card.layout].joints), card.dims]
    if outputs[KEYPOINTS] != promised:
        raise ValueError(f"the card promises keypoints of shape {promised}, the network has {outputs[KEYPOINTS]}")
