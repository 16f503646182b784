"""Follows one person through a video: each frame's crop comes from the joints of the frame before."""

from __future__ import annotations

from service.catalogue import Model
from service.finding import NOBODY, find_person, person_box
from service.frame_inference import FrameInference, FrameOutput
from service.geometry import Box, Image, Square, square_around

FOLLOW_CENTRE = 0.6  # share of the way that the crop goes to where the joints say it should be
FOLLOW_SIDE = 0.3
SEARCH_EVERY = 5  # frames between two searches while nobody is seen: a search costs a batch of windows


class PersonTracker:
    def __init__(self, inference: FrameInference, model: Model, first_box: Box | None) -> None:
        self._inference, self._model = inference, model
        self._square = square_around(first_box, model.card.crop.margin) if first_box else None
        self._frames_until_search = 0

    async def step(self, image: Image) -> tuple[FrameOutput, bool]:
        """The network's view of the next frame, and whether the person is in it."""
        square = self._square
        if square is None and self._frames_until_search <= 0:
            self._frames_until_search = SEARCH_EVERY
            found = await find_person(self._inference, self._model, image)
            if found is not None:
                self._square = self._next(found.squares[0], found)
                return found, True
        self._frames_until_search -= 1
        if square is None:
            height, width = image.shape[:2]
            square = square_around(Box(0, 0, width, height), 1.0)
        output = await self._inference.run(self._model, image, [square])
        if self._square is None:
            return output, False
        seen = bool(output.person_scores()[0] >= NOBODY)
        self._square = self._next(square, output) if seen else None
        if not seen:
            self._frames_until_search = 0
        return output, seen

    def _next(self, square: Square, output: FrameOutput) -> Square:
        box = person_box(output, 0)
        if box is None:
            return square
        wanted = square_around(box, self._model.card.crop.margin)
        side = square.side + FOLLOW_SIDE * (wanted.side - square.side)
        x = square.left + square.side / 2
        y = square.top + square.side / 2
        x += FOLLOW_CENTRE * (wanted.left + wanted.side / 2 - x)
        y += FOLLOW_CENTRE * (wanted.top + wanted.side / 2 - y)
        return Square(x - side / 2, y - side / 2, side)
