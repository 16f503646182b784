"""The card: what a model is. Kept as JSON in the parameter `card` of `<model>_frame`'s Triton configuration."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class CropRule(BaseModel):
    """How the network's square input is cut around a person."""

    model_config = ConfigDict(frozen=True)

    size: int = Field(gt=0, description="side of the input, pixels")
    margin: float = Field(gt=0, description="side of the crop over the longer side of the person's box")


class ClipRule(BaseModel):
    """What the clip network sees. Its labels are the order of its scores."""

    model_config = ConfigDict(frozen=True)

    frames: int = Field(gt=0)
    interval_s: float = Field(gt=0, description="media time between two sampled frames")
    labels: tuple[str, ...]


class Cut(BaseModel):
    """How many of the network's prediction blocks run: fewer are faster and less exact."""

    model_config = ConfigDict(frozen=True)

    used: int = Field(gt=0)
    all: int = Field(gt=0)


class LiftRule(BaseModel):
    """The network guesses depth from the joints in the picture: a lift, not a measurement."""

    model_config = ConfigDict(frozen=True)

    stature_mm: float = Field(gt=0, description="depths are those of a person of this stature")
    trained_on: str


class PersonCard(BaseModel):
    """What the detector `person` is. It has no layout and no crop: it sees whole pictures."""

    model_config = ConfigDict(frozen=True)

    description: str
    size: int = Field(gt=0, description="side of the square that the picture is fitted into, pixels")
    threshold: float = Field(ge=0, le=1, description="score from which a box is a person")
    overlap: float = Field(gt=0, le=1, description="of two boxes with a greater intersection over union one is dropped")
    weights: str
    weights_sha256: str
    licence: str
    precision: str = "fp32"


class Card(BaseModel):
    model_config = ConfigDict(frozen=True)

    model: str
    description: str
    layout: str
    dims: Literal[2, 3]
    crop: CropRule
    clip: ClipRule | None = None
    lift: LiftRule | None = None
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
        """Whether joints are answered with z."""
        return self.dims == 3
