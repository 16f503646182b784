"""A model: its card, and the state of its networks in Triton."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from service.networks.card import Card
from service.vision.layouts import LAYOUTS, Layout

FRAME_SUFFIX, CLIP_SUFFIX = "_frame", "_clip"
PERSON_NETWORK = "person"


@dataclass(frozen=True)
class Model:
    """A model: its card, and the state of its networks in Triton."""

    card: Card
    version: str
    ready: bool
    max_batch: int
    clip_takes_crops: bool = False  # whether the clip network has the input `crop_boxes`
    clip_max_batch: int = 1
    clip_version: str = ""
    missing: tuple[str, ...] = ()  # why it is not ready

    @property
    def name(self) -> str:
        return self.card.model

    @property
    def frame_network(self) -> str:
        return self.card.model + FRAME_SUFFIX

    @property
    def clip_network(self) -> str:
        return self.card.model + CLIP_SUFFIX

    @property
    def layout(self) -> Layout:
        return LAYOUTS[self.card.layout]

    def away(self, reason: str) -> Model:
        """Returns it as not ready."""
        return replace(self, ready=False, missing=(reason,))


class ModelState(NamedTuple):
    """Whether a model, or the detector, can be used, and what is missing if not."""

    name: str
    version: str
    missing: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        return not self.missing


def model_of(network: str) -> str:
    """Returns the name of the model that a network belongs to; empty where it is none of ours."""
    for suffix in (FRAME_SUFFIX, CLIP_SUFFIX):
        if network.endswith(suffix) and network != suffix:
            return network.removesuffix(suffix)
    return PERSON_NETWORK if network == PERSON_NETWORK else ""
