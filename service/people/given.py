"""People whom the caller tracks: each frame comes with their ids and boxes."""

from __future__ import annotations

from collections.abc import Sequence

from service.networks.frame import FrameInference
from service.networks.model import Model
from service.people.track import LONGEST_HIDDEN_S
from service.people.tracker import TrackedPerson
from service.video.frame import TrackedBox
from service.vision.crops import CropWindow, crop_window_around
from service.vision.picture import Picture


class GivenPeople:
    """At most `limit` tracks of the caller. One that no frame has had for a while has ended."""

    def __init__(self, inference: FrameInference, model: Model, limit: int) -> None:
        self._inference, self._model, self._limit = inference, model, limit
        self._seen_s: dict[int, float] = {}  # by id: time of the last frame with a box

    @property
    def ids(self) -> list[int]:
        """Of the present tracks, also of those without a box in the last frame."""
        return list(self._seen_s)

    async def step(self, picture: Picture, time_s: float, boxes: Sequence[TrackedBox]) -> list[TrackedPerson]:
        """Returns the people in the boxes, in their order."""
        self._seen_s |= {tracked.id: time_s for tracked in boxes}
        present = [i for i, seen_s in self._seen_s.items() if time_s - seen_s <= LONGEST_HIDDEN_S]
        latest = sorted(present, key=lambda i: -self._seen_s[i])[: self._limit]
        self._seen_s = {i: self._seen_s[i] for i in latest}
        if not boxes:
            return []
        crop_windows = [crop_window_around(tracked.box, self._model.card.crop.margin) for tracked in boxes]
        output = await self._inference.run(self._model, picture, crop_windows)
        return [TrackedPerson(tracked.id, output.only(i)) for i, tracked in enumerate(boxes)]

    @property
    def crop_windows(self) -> list[CropWindow]:
        """None: the next frame's come with it."""
        return []

    def restart(self) -> None:
        """Ends all tracks."""
        self._seen_s = {}
