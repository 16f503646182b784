"""The use case "video": sampled frames, tracked people, poses, windows, actions."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from service.errors import InvalidVideo
from service.networks.clip import ClipInference
from service.networks.frame import FrameInference, FrameOutput
from service.people.search import PeopleSearch
from service.people.tracker import MAIN_PERSON, PeopleTracker
from service.pipeline.admission import PixelBudget
from service.pipeline.answers import ClipAnswer, Event, Moment, PoseEvent
from service.pipeline.decoding import PictureDecoder
from service.pipeline.lookahead import decoded_ahead
from service.pipeline.plan import VideoPlan
from service.pipeline.recognition import ActionEvents, Due, Recognition
from service.pipeline.summary import ClipSummary
from service.pipeline.track_state import TrackState
from service.video.frame import Frame, FrameSource
from service.video.sampling import Sampler
from service.video.windows import Sample
from service.vision.boxes import check_box
from service.vision.crops import Image, whole_picture


@dataclass(frozen=True)
class StreamParts:
    """The networks and limits that all streams share."""

    decoder: PictureDecoder
    pixels: PixelBudget
    inference: FrameInference
    search: PeopleSearch
    clip: ClipInference


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
        self._frames = self._sampled = 0

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
        async for event in self._recognition.of_ended(list(self._tracks.values()), self._sampled, last):
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
        image = await self._parts.decoder.decode_small(frame.picture)
        return frame.picture if image is None else image

    async def _step(self, frame: Frame, ticks: int, at: Moment) -> AsyncGenerator[Event, None]:
        """Yields the events of one frame."""
        detected, sampled = await self._outputs(frame, ticks)
        for person_id in sampled.keys() - self._tracks.keys():
            self._tracks[person_id] = TrackState(person_id, self.plan)
        people = [self._tracks[person_id].person(output, frame.time_s) for person_id, output in detected.items()]
        yield PoseEvent(at, people, self.plan.layout)
        async for event in self._end_lost_tracks(at):
            yield event
        if ticks:
            self._sampled += 1
            async for event in self._recognition.of_due(self._due(frame, ticks, sampled), at):
                yield event

    async def _outputs(self, frame: Frame, ticks: int) -> tuple[dict[int, FrameOutput], dict[int, FrameOutput]]:
        """Returns the frame network's outputs by track: of those with a pose, and of those that get a sample."""
        # Pixels are held only here, not while an event waits for its reader.
        with self._parts.pixels.hold() as held:
            image = await self._parts.decoder.decode(frame.picture, held)
            if self._tracker is None:
                self._tracker = self._tracker_for(image)
            detected = {tracked.id: tracked.output for tracked in await self._tracker.step(image, frame.time_s)}
            if detected or not ticks or self.plan.all_people:
                return detected, detected
            # The main person's samples have no gaps: where nobody is found, the crop is the whole picture.
            whole = whole_picture(image.shape[1], image.shape[0])
            return detected, {MAIN_PERSON: await self._parts.inference.run(self.plan.model, image, [whole])}

    def _tracker_for(self, first: Image) -> PeopleTracker:
        plan = self.plan
        box = check_box(plan.box, first.shape[1], first.shape[0]) if plan.box else None
        inference, search = self._parts.inference, self._parts.search
        return PeopleTracker(inference, search, plan.model, plan.max_people, not plan.all_people, box)

    async def _end_lost_tracks(self, at: Moment) -> ActionEvents:
        if self.plan.all_people and self._tracker is not None:
            followed = self._tracker.ids
            lost = [self._tracks.pop(person_id) for person_id in list(self._tracks) if person_id not in followed]
            async for event in self._recognition.of_ended(lost, self._sampled, at):
                yield event

    def _due(self, frame: Frame, ticks: int, sampled: dict[int, FrameOutput]) -> Due:
        """Returns the windows that are complete with this frame's samples."""
        due: Due = []
        for person_id, output in sampled.items():
            if (track := self._tracks.get(person_id)) is None:
                continue
            assert output.features is not None
            sample = Sample(frame.frame_id, frame.time_s, output.features[0], output.crop_windows[0])
            due += [(track, window) for window in track.windows.add(sample, ticks)]
        return due
