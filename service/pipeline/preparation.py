"""The first stage of a video: frames are decoded, compared with the one before, and looked through for people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from service.errors import InvalidArgument, InvalidImage, PayloadTooLarge, UnsupportedMediaType
from service.people.detector import Detection
from service.people.schedule import DetectionSchedule
from service.people.search import PeopleSearch
from service.pipeline.admission import Held
from service.pipeline.decoding import PictureDecoder
from service.pipeline.plan import VideoPlan
from service.video.frame import BadFrame, Flush, Frame, FrameSource
from service.video.picture_change import Change, PictureChange
from service.video.sampling import Sampler
from service.vision.boxes import check_box, check_finite
from service.vision.crops import CropWindow, crop_window_around
from service.vision.picture import Picture, at_most, factor_for

NEWCOMERS = 3.0  # least size of a shrunken frame over that of a crop: people who come must be found, and seen well
FAULTS_OF_FRAMES = (InvalidImage, UnsupportedMediaType, PayloadTooLarge, InvalidArgument)


@dataclass(frozen=True)
class Seen:
    """What the first stage has found in a frame."""

    picture: Picture
    change: Change  # since the frame before
    detections: list[Detection] | None  # None: the detector did not run


@dataclass(frozen=True)
class PreparedFrame:
    """A frame that is wanted; `seen` is None for a large one, whose pixels are not held before its turn."""

    frame: Frame
    ticks: int
    seen: Seen | None
    turn_is_over: asyncio.Event = field(default_factory=asyncio.Event)  # of a large one


class Preparation:
    """Prepares the frames of one video, in order.

    Args:
        plan: Of the video.
        decoder: Of pictures.
        search: For the detector.
        schedule: Of the detector's runs.
        crop_windows: Returns those of the people who were seen in the last frame.
    """

    def __init__(
        self,
        plan: VideoPlan,
        decoder: PictureDecoder,
        search: PeopleSearch,
        schedule: DetectionSchedule,
        crop_windows: Callable[[], list[CropWindow]],
    ) -> None:
        self._plan, self._decoder, self._search = plan, decoder, search
        self._schedule, self._crop_windows = schedule, crop_windows
        self._change = PictureChange()
        self._size: tuple[int, int] | None = None  # of the last frame
        self._time_ns = 0

    async def frames(self, source: FrameSource) -> AsyncGenerator[PreparedFrame | Frame | BadFrame | Flush, None]:
        """Yields all that is received: wanted frames prepared, others as they are."""
        async with aclosing(source.frames(Sampler(self._plan.interval_s))) as received:
            async for item, ticks in received:
                if not isinstance(item, Frame) or not (ticks or self._plan.every_frame):
                    yield item
                    continue
                prepared = await self._ahead(item, ticks)
                del item  # its picture is not kept beside the decoded one
                yield prepared
                if isinstance(prepared, PreparedFrame) and prepared.seen is None:
                    await prepared.turn_is_over.wait()  # frames are compared in order

    async def _ahead(self, frame: Frame, ticks: int) -> PreparedFrame | BadFrame:
        """Prepares a frame before its turn, if it is small: such are not in the budget of pixels."""
        try:
            with _named(frame):
                self._check_boxes(frame)
                compared = await self._decoder.decode_small(
                    frame.picture, self._comparison(ticks), partial(self._shrink, frame)
                )
                seen = None if compared is None else await self._seen(frame, ticks > 0, *compared)
        except FAULTS_OF_FRAMES as error:
            return BadFrame.of(frame, error, ticks)
        return PreparedFrame(frame if seen is None else replace(frame, picture=b""), ticks, seen)

    async def in_turn(self, prepared: PreparedFrame, held: Held) -> Seen:
        """Returns what was found in a frame; a large one is decoded now. Raises as `PictureDecoder.decode`."""
        if prepared.seen is not None:
            return prepared.seen
        frame = prepared.frame
        assert isinstance(frame.picture, bytes)
        try:
            with _named(frame):
                compared = await self._decoder.decode_for(
                    frame.picture, held, self._comparison(prepared.ticks), partial(self._shrink, frame)
                )
                return await self._seen(frame, prepared.ticks > 0, *compared)
        finally:
            prepared.turn_is_over.set()

    def _check_boxes(self, frame: Frame) -> None:
        """Raises `InvalidArgument` where the frame's boxes do not belong to the stream."""
        ids = {tracked.id for tracked in frame.boxes}
        if ids and self._plan.people != "boxes":
            raise InvalidArgument("boxes with a frame are for streams that follow boxes; say so in the config")
        if len(ids) != len(frame.boxes):
            raise InvalidArgument("two boxes have the same id; give each person one of their own")
        if len(ids) > self._plan.max_people:
            raise InvalidArgument(f"{len(ids)} boxes were sent; at most {self._plan.max_people} people are followed")
        for tracked in frame.boxes:
            check_finite(tracked.box)

    def _comparison(self, ticks: int) -> Callable[[Picture], tuple[Picture, Change]]:
        """Returns the work that is done with a frame, by the job that decodes it."""
        return lambda picture: (picture, self._change.since_last(picture.pixels) if ticks else Change.MOVED)

    def _shrink(self, frame: Frame, width: int, height: int) -> int:
        """Returns by how much fewer pixels of a frame do, for the people who are in it and for those who come."""
        size, margin = self._plan.model.card.crop.size, self._plan.model.card.crop.margin
        if self._plan.people == "boxes":
            return factor_for((crop_window_around(tracked.box, margin) for tracked in frame.boxes), size)
        if crop_windows := self._crop_windows():
            return min(factor_for(crop_windows, size), at_most(max(width, height) / (NEWCOMERS * size)))
        return 1

    async def _seen(self, frame: Frame, is_sample: bool, picture: Picture, change: Change) -> Seen:
        size = picture.width, picture.height
        for tracked in frame.boxes:
            check_box(tracked.box, *size)
        if self._size is not None and (size != self._size or frame.time_ns < self._time_ns):
            change = Change.CUT  # another size, or the sender's clock was set
        self._size, self._time_ns = size, frame.time_ns
        if change is Change.CUT:
            self._schedule.at_once()
        thumbnail = self._change.thumbnail if is_sample else None
        is_due = self._plan.people != "boxes" and self._schedule.due(frame.time_s, thumbnail, size)
        return Seen(picture, change, await self._search.detect(picture) if is_due else None)


@contextmanager
def _named(frame: Frame) -> Iterator[None]:
    """Says in an error of a frame which one it is."""
    try:
        yield
    except FAULTS_OF_FRAMES as error:
        raise type(error)(f"frame {frame.frame_id}: {error}") from error
