"""The use case "picture": poses of the people in a picture."""

from __future__ import annotations

import time
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidArgument
from service.networks.frame import Crops, FrameInference, crops_of
from service.networks.model import Model
from service.people.search import Found, PeopleSearch
from service.pipeline.admission import Held
from service.pipeline.answers import Person, PoseAnswer
from service.pipeline.decoding import PictureDecoder
from service.pipeline.effort import ModelChooser, Need
from service.pipeline.options import PictureOptions, people_limit
from service.pipeline.person import person_in
from service.settings import Settings
from service.vision.boxes import Box, check_box
from service.vision.camera import check_camera
from service.vision.crops import CropWindow, crop_window_around
from service.vision.layouts import layout_named
from service.vision.picture import Picture, factor_for, whole

DOUBTFUL = 0.3  # mean keypoint score below which a pose is not answered unless `min_score` asks for it


class PoseEstimator:
    """Estimates poses in single pictures."""

    def __init__(
        self,
        settings: Settings,
        chooser: ModelChooser,
        decoder: PictureDecoder,
        inference: FrameInference,
        search: PeopleSearch,
    ) -> None:
        self._settings, self._chooser, self._decoder = settings, chooser, decoder
        self._inference, self._search = inference, search

    async def estimate(
        self, image: bytes, options: PictureOptions, held: Held, load: float, to_draw: bool = False
    ) -> PoseAnswer:
        """Returns one person per box, in input order; without boxes, those with a usable pose by descending score.

        Args:
            image: An encoded picture.
            options: The options of the request.
            held: The request's share of the budget of pixels, from which the picture's pixels are taken.
            load: Share of the places that other requests have taken.
            to_draw: Whether all pixels of the picture are needed.

        Raises:
            InvalidArgument: The options do not fit the model or the picture.
            InvalidImage, UnsupportedMediaType, PayloadTooLarge: The bytes are no picture that can be read.
            UnknownModel, Unavailable, Overloaded, DeadlineExceeded: As their names say.
        """
        started = time.perf_counter()
        need = Need(options.model, options.effort, depth=options.camera is not None, picture=True)
        choice = await self._chooser.choose(need, load)
        model, flip = choice.model, choice.flip or options.flip
        layout = layout_named(options.layout) if options.layout else model.layout
        boxes = self._checked(options.boxes)
        camera = options.camera.as_camera() if options.camera else None
        if camera is not None:
            check_camera(camera, len(boxes) or 1)
        limit = people_limit(options.max_people, self._settings.max_people)
        found: Found | None
        if boxes:
            shrink = whole if to_draw else partial(_shrink, boxes, model)
            cropped = await self._decoder.decode_for(image, held, partial(_cropped, boxes, model), shrink)
            picture, decoded = cropped.picture, time.perf_counter()
            output = await self._inference.run_on(model, cropped.crops, cropped.crop_windows, flip)
            found = Found(output, [(box, None) for box in cropped.boxes])
        else:
            picture = await self._decoder.decode(image, held)
            decoded = time.perf_counter()
            found = await self._search.find(model, picture, limit, flip)
        people = []
        if found is not None:
            people = [
                person_in(found.output, i, box, model.layout, layout, camera, detection_score, model.card.score)
                for i, (box, detection_score) in enumerate(found.boxes)
            ]
        if found is not None and not boxes:
            people = usable(people, found.output.person_scores(), options.min_score)
        done = time.perf_counter()
        timing = {"decode": decoded - started, "inference": done - decoded, "total": done - started}
        return PoseAnswer(choice, picture, layout, people, {name: 1e3 * s for name, s in timing.items()})

    def _checked(self, boxes: list[Box]) -> list[Box]:
        if len(boxes) > self._settings.max_boxes:
            raise InvalidArgument(
                f"{len(boxes)} boxes were sent; at most {self._settings.max_boxes} are taken; send several requests"
            )
        return boxes


def usable(people: list[Person], keypoint_scores: NDArray[np.float32], min_score: float | None) -> list[Person]:
    """Returns the people whose pose is worth an answer, by descending score.

    Args:
        people: All that were found.
        keypoint_scores: Their mean keypoint scores (N,).
        min_score: The lowest score of a person; None: doubtful poses are left out, which is said of the joints alone.
    """
    kept = [
        person
        for person, mean in zip(people, keypoint_scores.tolist(), strict=True)
        if (mean >= DOUBTFUL if min_score is None else person.score >= min_score)
    ]
    return sorted(kept, key=lambda person: -person.score)


class _Cropped(NamedTuple):
    """A picture and the crops at the boxes of its N people."""

    picture: Picture
    boxes: list[Box]
    crop_windows: list[CropWindow]
    crops: Crops


def _cropped(boxes: list[Box], model: Model, picture: Picture) -> _Cropped:
    checked = [check_box(box, picture.width, picture.height) for box in boxes]
    crop_windows = [crop_window_around(box, model.card.crop.margin) for box in checked]
    return _Cropped(picture, checked, crop_windows, crops_of(picture, crop_windows, model.card.crop.size))


def _shrink(boxes: list[Box], model: Model, width: int, height: int) -> int:
    """Returns by how much fewer pixels of a picture do for crops at these boxes; all for boxes that will be refused."""
    longest = 8 * max(width, height)
    if not all(0 < max(box.width, box.height) <= longest for box in boxes):
        return 1
    return factor_for((crop_window_around(box, model.card.crop.margin) for box in boxes), model.card.crop.size)
