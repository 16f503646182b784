"""The card: what a model is. Kept as JSON in the parameter `card` of `<model>_frame`'s Triton configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


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


class Card(BaseModel):
    model_config = ConfigDict(frozen=True)

    model: str
    description: str
    layout: str
    dims: Literal[2, 3]
    crop: CropRule
    clip: ClipRule | None = None
    depth_scale_mm: float | None = None
    weights: str = Field(description="where the weights come from")
    weights_sha256: str
    licence: str
    precision: str = "fp32"
