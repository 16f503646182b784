"""What an evaluation needs to know of a model: from its card, or from the table of deephar's networks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.evaluation.targets.problem import TargetProblem
from models.protocol.camera import DEPTH_RANGE_MM
from service.vision.layouts import LAYOUTS


@dataclass(frozen=True)
class ModelCard:
    """A model's input and the meaning of its output."""

    model: str
    joints: tuple[str, ...]
    dims: int
    size: int  # side of the crop in pixels
    margin: float  # side of the crop over the longer side of the person's box
    clip_frames: int = 0  # 0: the network knows no actions
    interval_s: float = 0.0  # between two frames of a clip
    labels: tuple[str, ...] = ()
    weights_sha256: str = ""
    depth_scale_mm: float = DEPTH_RANGE_MM  # of 0..1 of the third coordinate

    @staticmethod
    def from_json(model: str, text: str) -> ModelCard:
        """The card in the parameter `card` of a Triton configuration.

        Raises:
            TargetProblem: It is none.
        """
        try:
            document: Mapping[str, Any] = json.loads(text)
            clip = document.get("clip") or {}
            return ModelCard(
                model=model,
                joints=LAYOUTS[document["layout"]].joints,
                dims=int(document["dims"]),
                size=int(document["crop"]["size"]),
                margin=float(document["crop"]["margin"]),
                clip_frames=int(clip.get("frames", 0)),
                interval_s=float(clip.get("interval_s", 0)),
                labels=tuple(clip.get("labels", ())),
                weights_sha256=str(document.get("weights_sha256", "")),
                depth_scale_mm=float(document.get("depth_scale_mm") or DEPTH_RANGE_MM),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TargetProblem(
                f"the card of {model} cannot be read ({error}); export or add the model again"
            ) from None
