"""How a person of a picture is asked for: as the protocol's crops, or as a whole picture with a box."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.datasets.samples import Box, Person
from models.evaluation.protocols.protocol import Make
from models.evaluation.protocols.views import View, views_of
from models.evaluation.targets.gateway import GatewayTarget
from models.evaluation.targets.outputs import CropTarget, FrameOutput, PosePx, WholePicture
from models.protocol.crop import CropPlan, cut, plan_crop, to_image_px
from models.protocol.joints import flip_indices
from models.protocol.window import Window

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Predicted:
    """What a model says of one person, in the picture: N blocks, K joints of the network."""

    joints: tuple[str, ...]
    keypoints_px: Floats  # (N, K, 2)
    depth_mm: Floats | None  # (N, K), relative to the root
    scores: Floats  # (K,), of the last block


class Asking(Protocol):
    """A way to ask for a person."""

    settings: dict[str, Any]
    blocks: tuple[str, ...]
    group: int  # crops that the original asks for at a time: it drops the rest

    def inputs(self, person: Person) -> list[Make]: ...

    def ask(self, inputs: Iterable[Any]) -> Iterator[Any]: ...

    def predicted(self, person: Person, answers: Sequence[Any]) -> Predicted: ...


class AskingCrops:
    """The protocol's crops, one or several of a person, straight to the network."""

    def __init__(self, target: CropTarget, views: str) -> None:
        self._target = target
        self._views = views
        self.settings = {"views": views}
        self.blocks = target.blocks
        self.group = max(target.clip_frames, 1)
        self._flip = flip_indices(target.card.joints)

    def inputs(self, person: Person) -> list[Make]:
        return [partial(_crop, person, plan) for plan in self._plans(person)]

    def ask(self, inputs: Iterable[Any]) -> Iterator[FrameOutput]:
        return self._target.poses(inputs)

    def predicted(self, person: Person, answers: Sequence[FrameOutput]) -> Predicted:
        """The mean over the views, in pixels of the picture."""
        plans = self._plans(person)
        found = [self._of_view(plan, answer) for plan, answer in zip(plans, answers, strict=True)]
        depths = [one.depth_mm for one in found if one.depth_mm is not None]
        return Predicted(
            self._target.card.joints,
            np.mean([one.keypoints_px for one in found], axis=0),
            np.mean(depths, axis=0) if depths else None,
            np.mean([one.scores for one in found], axis=0),
        )

    def _plans(self, person: Person) -> list[CropPlan]:
        views: list[View] = views_of(person.window, self._views)
        side = (self._target.size, self._target.size)
        return [
            plan_crop(person.image_size, view.window.at_least_smallest(), side, mirror=view.mirror) for view in views
        ]

    def _of_view(self, plan: CropPlan, answer: FrameOutput) -> Predicted:
        card = self._target.card
        keypoints, scores = np.asarray(answer.keypoints_crop, np.float64), np.asarray(answer.scores[-1], np.float64)
        if plan.mirror:  # x is mapped back by the plan; what is left there is right in the picture
            keypoints, scores = keypoints[:, self._flip], scores[self._flip]
        depth = (keypoints[..., 2] - 0.5) * card.depth_scale_mm if keypoints.shape[-1] == 3 else None
        return Predicted(card.joints, to_image_px(plan.affine, keypoints), depth, scores)


class AskingPictures:
    """Whole pictures with boxes to the gateway, which cuts the crop itself."""

    blocks = ("last",)
    group = 1

    def __init__(self, target: GatewayTarget, margin: float) -> None:
        self._target = target
        self._margin = margin
        self.settings = {"views": "whole picture", "margin": margin}

    def inputs(self, person: Person) -> list[Make]:
        return [partial(_picture, person, box_of(person, self._margin))]

    def ask(self, inputs: Iterable[Any]) -> Iterator[PosePx]:
        return self._target.poses(inputs)

    def predicted(self, person: Person, answers: Sequence[PosePx]) -> Predicted:
        (answer,) = answers
        points = np.asarray(answer.keypoints_px, np.float64)
        depth = points[None, :, 2] if points.shape[-1] == 3 else None
        return Predicted(answer.joints, points[None, :, :2], depth, np.asarray(answer.scores, np.float64))


def box_of(person: Person, margin: float) -> Box:
    """The annotated box; without one, that whose crop, `margin` times larger, is the protocol's window."""
    return person.box or shrunk(person.window, margin)


def shrunk(window: Window, margin: float) -> Box:
    """The box (x, y, width, height) in the middle of a window that is `margin` times larger."""
    smaller = Window(window.centre_x, window.centre_y, window.width / margin, window.height / margin)
    left, top, _, _ = smaller.corners
    return left, top, smaller.width, smaller.height


def _crop(person: Person, plan: CropPlan) -> Any:
    return cut(person.read(), plan)


def _picture(person: Person, box: Box) -> WholePicture:
    return WholePicture(person.read(), box)
