"""The use case "video": sampled frames, tracked people, poses, windows, actions."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

from service.errors import InvalidImage, InvalidVideo, PayloadTooLarge, UnsupportedMediaType
from service.networks.clip import ClipInference
from service.networks.frame import FrameInference, FrameOutput
from service.people.search import PeopleSearch
from service.people.tracker import PeopleTracker
from service.pipeline.admission import PixelBudget
from service.pipeline.answers import ClipAnswer, Event, Moment, PoseEvent
from service.pipeline.decoding import PictureDecoder
from service.pipeline.lookahead import decoded_ahead
from service.pipeline.plan import VideoPlan
from service.pipeline.recognition import ActionEvents, Due, Recognition
from service.pipeline.summary import ClipSummary
from service.pipeline.track_state import TrackState
from service.video.frame import Frame, FrameSource
from service.video.picture_change import Change, PictureChange
from service.video.sampling import Sampler
from service.video.windows import Sample
from service.vision.boxes import check_box
from service.vision.crops import Image
from service.workers import Workers


@dataclass(frozen=True)
class StreamParts:
    """The networks and limits that all streams share."""

    decoder: PictureDecoder
    pixels: PixelBudget
    inference: FrameInference
    search: PeopleSearch
    clip: ClipInference
    workers: Workers


class Stream:
    """One video, from its frames to events. It may be endless: no more is kept than its windows need.

    Args:
        plan: The checked options.
        source: Where the frames come from.
        parts: What all streams share.
    """

    def __init__(self, plan: VideoPlan, source: FrameSource, parts: StreamParts) -> None:
        self.plan = plan
        self._source, self._parts = source, parts
        self._recognition = Recognition(parts.clip, plan)
        self._tracker: PeopleTracker | None = None  # created with the first frame, whose size it needs
        self._tracks: dict[int, TrackState] = {}
        self._change = PictureChange()
        self._shape: tuple[int, ...] | None = None  # of the last frame
        self._size: tuple[int, int] | None = None
        self._frames = 0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the first frame, once there was one."""
        assert self._size is not None
        return self._size

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yields events as they become known, until the frames have ended.

        Raises:
            InvalidVideo: There was no frame.
            DeepharError: A frame cannot be read, or a network did not answer.
        """
        last: Moment | None = None
        async with (
            aclosing(self._source.frames(Sampler(self.plan.interval_s))) as fetched,
            aclosing(fetched if self._source.live else decoded_ahead(fetched, self._decoded)) as frames,
        ):
            async for frame, ticks in frames:
                self._frames += 1
                last = self._moment(frame)
                if not self._wanted(ticks):
                    continue
                async with aclosing(self._step(frame, ticks, last)) as events:
                    async for event in events:
                        yield event
                del frame  # not to be kept while the next one is awaited
        if last is None:
            raise InvalidVideo("no frames were sent; send at least one")
        async for event in self._recognition.of_ended(list(self._tracks.values()), last):
            yield event

    async def classified(self) -> AsyncGenerator[Event | ClipAnswer, None]:
        """Yields the events of a finite clip and, last, the answer for the whole clip. Raises as `events`."""
        summary = ClipSummary(self.plan)
        async with aclosing(self.events()) as events:
            async for event in events:
                summary.add(event)
                yield event
        yield summary.answer(self._frames)

    def _moment(self, frame: Frame) -> Moment:
        lag_ms = 1e3 * (time.monotonic() - frame.received_s)
        return Moment(frame.frame_id, frame.time_ns, lag_ms, self._source.dropped)

    def _wanted(self, ticks: int) -> bool:
        return ticks > 0 or self.plan.every_frame

    async def _decoded(self, frame: Frame, ticks: int) -> bytes | Image:
        """Returns the picture of a frame that is wanted and small, decoded. It is not in the budget of pixels."""
        if not self._wanted(ticks) or not isinstance(frame.picture, bytes):
            return frame.picture
        with _named(frame):
            image = await self._parts.decoder.decode_small(frame.picture)
        return frame.picture if image is None else image

    async def _step(self, frame: Frame, ticks: int, at: Moment) -> AsyncGenerator[Event, None]:
        """Yields the events of one frame."""
        detected, change = await self._detected(frame, ticks)
        if change is Change.CUT:
            async for event in self._ended(list(self._tracks), at):
                yield event
        for person_id in detected.keys() - self._tracks.keys():
            self._tracks[person_id] = TrackState(person_id, self.plan)
        people = [self._tracks[person_id].person(output, frame.time_s) for person_id, output in detected.items()]
        yield PoseEvent(at, people, self.plan.layout)
        async for event in self._ended(self._lost(), at):
            yield event
        if ticks:
            async for event in self._recognition.of_due(self._due(frame, ticks, detected, change), at):
                yield event

    async def _detected(self, frame: Frame, ticks: int) -> tuple[dict[int, FrameOutput], Change]:
        """Returns the frame network's output for each person, by track, and what became of the picture."""
        # Pixels are held only here, not while an event waits for its reader.
        with self._parts.pixels.hold() as held:
            with _named(frame):
                image = await self._parts.decoder.decode(frame.picture, held)
            change = await self._parts.workers.run(self._change.since_last, image) if ticks else Change.MOVED
            if image.shape != self._shape:
                self._shape, change = image.shape, Change.CUT
            if self._tracker is None:
                self._size = image.shape[1], image.shape[0]
                self._tracker = self._tracker_for(image)
            elif change is Change.CUT:
                self._tracker.restart()
            return {person.id: person.output for person in await self._tracker.step(image, frame.time_s)}, change

    def _tracker_for(self, first: Image) -> PeopleTracker:
        plan = self.plan
        box = check_box(plan.box, first.shape[1], first.shape[0]) if plan.box else None
        inference, search = self._parts.inference, self._parts.search
        return PeopleTracker(inference, search, plan.model, plan.max_people, not plan.all_people, box)

    def _lost(self) -> list[int]:
        """Returns the tracks that the tracker has dropped; the main person's id waits for them to be seen again."""
        if not self.plan.all_people or self._tracker is None:
            return []
        return list(self._tracks.keys() - set(self._tracker.ids))

    async def _ended(self, person_ids: list[int], at: Moment) -> ActionEvents:
        tracks = [self._tracks.pop(person_id) for person_id in person_ids]
        async for event in self._recognition.of_ended(tracks, at):
            yield event

    def _due(self, frame: Frame, ticks: int, detected: dict[int, FrameOutput], change: Change) -> Due:
        """Returns the windows that are complete with this frame."""
        due: Due = []
        for person_id, track in self._tracks.items():
            sample = None
            if (output := detected.get(person_id)) is not None:
                assert output.features is not None
                sample = Sample(frame.frame_id, frame.time_s, output.features[0], output.crop_windows[0])
            due += [(track, window) for window in track.due(sample, ticks, change is Change.REPEATED)]
        return due


@contextmanager
def _named(frame: Frame) -> Iterator[None]:
    """Says in an error of a picture which frame it is."""
    try:
        yield
    except (InvalidImage, UnsupportedMediaType, PayloadTooLarge) as error:
        raise type(error)(f"frame {frame.frame_id}: {error}") from error
