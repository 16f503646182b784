"""How a person of a picture is asked for: as the protocol's crops, or as a whole picture with a box."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.datasets.pictures import PictureFile
from models.datasets.samples import Box, Person
from models.evaluation.metrics.views import View, average_views, views_of
from models.evaluation.protocols.protocol import Make
from models.evaluation.targets.gateway import GatewayTarget
from models.evaluation.targets.outputs import CropTarget, FrameOutput, PosePx, WholePicture
from models.protocol.crop import CropPlan, cut, plan_crop, to_image_px
from models.protocol.window import Window

Floats = NDArray[np.float64]
# Networks whose poses the original evaluates by their form for clips, with as many pictures as a clip has frames.
GROUPED = ("penn", "ntu")


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
        self.group = max(target.clip_frames, 1) if target.card.model.partition("@")[0] in GROUPED else 1

    def inputs(self, person: Person) -> list[Make]:
        return [partial(_crop, person, plan) for plan in self._plans(person)]

    def ask(self, inputs: Iterable[Any]) -> Iterator[FrameOutput]:
        return self._target.poses(inputs)

    def predicted(self, person: Person, answers: Sequence[FrameOutput]) -> Predicted:
        """The mean over the views, in pixels of the picture."""
        card, plans = self._target.card, self._plans(person)
        mirrored = [plan.mirror for plan in plans]
        points = [_in_picture(plan, answer, card.depth_scale_mm) for plan, answer in zip(plans, answers, strict=True)]
        scores = [answer.scores[-1][:, None] for answer in answers]
        mean = average_views(points, mirrored, card.joints)
        return Predicted(
            card.joints,
            mean[..., :2],
            mean[..., 2] if mean.shape[-1] == 3 else None,
            average_views(scores, mirrored, card.joints)[:, 0],
        )

    def _plans(self, person: Person) -> list[CropPlan]:
        views = [View(person.window, mirror=False)] if self._views == "single" else views_of(person.window)
        side = (self._target.size, self._target.size)
        return [
            plan_crop(person.image_size, view.window.at_least_smallest(), side, mirror=view.mirror) for view in views
        ]


class AskingPictures:
    """Whole pictures with boxes to the gateway, which cuts the crop itself."""

    blocks: tuple[str, ...] = ("last",)
    group = 1

    def __init__(self, target: GatewayTarget, margin: float) -> None:
        self._target = target
        self._margin = margin
        self.settings = {"views": "whole picture", "margin": margin}

    def inputs(self, person: Person) -> list[Make]:
        return [partial(_picture, person, box_of(person, self._margin))]

    def ask(self, inputs: Iterable[Any]) -> Iterator[PosePx]:
        return self._target.poses(inputs)

    def predicted(self, person: Person, answers: Sequence[PosePx]) -> Predicted:  # noqa: ARG002 - pictures have no crop
        (answer,) = answers
        points = np.asarray(answer.keypoints_px, np.float64)
        depth = points[None, :, 2] if points.shape[-1] == 3 else None
        return Predicted(answer.joints, points[None, :, :2], depth, np.asarray(answer.scores, np.float64))


def _in_picture(plan: CropPlan, answer: FrameOutput, depth_scale_mm: float) -> Floats:
    """Points (N, K, D) of a crop in pixels of the picture, with depths in mm relative to the root."""
    points = np.asarray(answer.keypoints_crop, np.float64)
    depth_mm = (points[..., 2:] - 0.5) * depth_scale_mm
    return np.concatenate([to_image_px(plan.affine, points), depth_mm], axis=-1)


def box_of(person: Person, margin: float) -> Box:
    """The annotated box; without one, that whose crop, `margin` times larger, is the protocol's window."""
    return person.box or shrunk(person.window, margin)


def shrunk(window: Window, margin: float) -> Box:
    """The box (x, y, width, height) in the middle of a window that is `margin` times larger."""
    smaller = Window(window.centre_x, window.centre_y, window.width / margin, window.height / margin)
    left, top, _, _ = smaller.corners
    return left, top, smaller.width, smaller.height


def _crop(person: Person, plan: CropPlan) -> Any:
    read = person.read
    return cut(read.image() if isinstance(read, PictureFile) else read(), plan)


def _picture(person: Person, box: Box) -> WholePicture:
    return WholePicture(person.read(), box)
