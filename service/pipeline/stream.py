"""The use case "video": sampled frames, tracked people, poses, windows, actions.

Three stages overlap, each one item ahead of the next:
preparation (decoding, detection) -> poses of all tracks -> actions and events
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import NamedTuple

from service.errors import InvalidVideo
from service.networks.clip import ClipInference
from service.networks.frame import FrameInference, FrameOutput
from service.people.given import GivenPeople
from service.people.schedule import DetectionSchedule
from service.people.search import PeopleSearch
from service.people.tracker import PeopleTracker, TrackedPerson
from service.pipeline.admission import PixelBudget
from service.pipeline.answers import ClipAnswer, Event, FlushedEvent, FrameErrorEvent, Moment, PoseEvent, TakenEvent
from service.pipeline.decoding import PictureDecoder
from service.pipeline.lookahead import ahead
from service.pipeline.plan import VideoPlan
from service.pipeline.preparation import FAULTS_OF_FRAMES, Preparation, PreparedFrame, Seen
from service.pipeline.recognition import Due, Recognition
from service.pipeline.summary import ClipSummary
from service.pipeline.track_state import TrackState
from service.telemetry.metrics import METRICS
from service.video.frame import BadFrame, Flush, Frame, FrameSource
from service.video.picture_change import Change
from service.video.windows import Sample, Window
from service.vision.boxes import check_box
from service.vision.crops import CropWindow
from service.vision.picture import Picture

_LOST = METRICS.frames.labels("lost")


@dataclass(frozen=True)
class StreamParts:
    """The networks and limits that all streams share."""

    decoder: PictureDecoder
    pixels: PixelBudget
    inference: FrameInference
    search: PeopleSearch
    clip: ClipInference


class _Followed(NamedTuple):
    """What the second stage gives to the third, in the order of the events."""

    at: Moment
    cut: Sequence[TrackState] = ()  # ended before the frame
    pose: PoseEvent | None = None
    lost: Sequence[TrackState] = ()  # ended with the frame
    due: Due = ()
    last: Event | None = None  # of a flush, or of a frame that has no pose


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
        self._schedule = DetectionSchedule()
        self._preparation = Preparation(plan, parts.decoder, parts.search, self._schedule, self._crop_windows)
        self._tracker: PeopleTracker | GivenPeople | None = None  # created with the first frame, whose size it needs
        self._tracks: dict[int, TrackState] = {}
        self._size: tuple[int, int] | None = None
        self._frames = 0
        self._missed = 0  # ticks of the sampler for frames that could not be used

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the first frame, once there was one."""
        assert self._size is not None
        return self._size

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yields events as they become known, until the frames have ended.

        Raises:
            InvalidVideo: There was no frame.
            DeepharError: A frame of a finite video cannot be read, or a network did not answer.
        """
        last: Moment | None = None
        async with aclosing(ahead(self._followed())) as followed:
            async for step in followed:
                last = step.at
                async for event in self._recognition.of_ended(step.cut, last):
                    yield event
                if step.pose is not None:
                    yield step.pose
                async for event in self._recognition.of_ended(step.lost, last):
                    yield event
                async for event in self._recognition.of_due(step.due, last):
                    yield event
                if step.last is not None:
                    yield step.last
        if not self._frames or last is None:
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

    async def _followed(self) -> AsyncGenerator[_Followed, None]:
        """Yields what became of each frame, and of each flush."""
        at = Moment(0, 0, 0.0, 0)
        async with aclosing(ahead(self._preparation.frames(self._source))) as prepared:
            async for item in prepared:
                if isinstance(item, Flush):
                    yield _Followed(at, lost=self._end(list(self._tracks)), last=FlushedEvent(at))
                    continue
                self._frames += 1
                at = self._moment(item.frame if isinstance(item, PreparedFrame) else item)
                if isinstance(item, BadFrame):
                    yield self._without(item, at)
                elif isinstance(item, PreparedFrame):
                    yield await self._step(item, at)
                else:
                    yield _Followed(at, last=TakenEvent(at) if self.plan.is_live else None)
                del item  # not to be kept while the next one is awaited

    def _moment(self, frame: Frame | BadFrame) -> Moment:
        lag_s = time.monotonic() - frame.received_s
        if self.plan.is_live:
            METRICS.lag_seconds.observe(lag_s)
        return Moment(frame.frame_id, frame.time_ns, 1e3 * lag_s, self._source.dropped)

    def _without(self, bad: BadFrame, at: Moment) -> _Followed:
        """Returns the event of a frame that cannot be used. Raises its error where the video is a finite one."""
        if not self.plan.is_live:
            raise bad.error
        self._missed += bad.ticks
        _LOST.inc()
        return _Followed(at, last=FrameErrorEvent(at, bad.error.code, str(bad.error)))

    async def _step(self, prepared: PreparedFrame, at: Moment) -> _Followed:
        frame = prepared.frame
        # Pixels are held only here, not while an event waits for its reader.
        with self._parts.pixels.hold() as held:
            try:
                seen = await self._preparation.in_turn(prepared, held)
            except FAULTS_OF_FRAMES as error:
                return self._without(BadFrame.of(frame, error, prepared.ticks), at)
            cut = self._end(list(self._tracks)) if seen.change is Change.CUT else []
            tracked = {person.id: person.output for person in await self._people(frame, seen)}
        for person_id in tracked.keys() - self._tracks.keys():
            self._tracks[person_id] = TrackState(person_id, self.plan)
        people = [self._tracks[person_id].person(output, frame.time_s) for person_id, output in tracked.items()]
        lost = self._end(self._lost())
        due: Due = ()
        if prepared.ticks:
            due = self._due(frame, prepared.ticks + self._missed, tracked, seen.change)
            self._missed = 0
        return _Followed(at, cut, PoseEvent(at, people, self.plan.layout), lost, due)

    async def _people(self, frame: Frame, seen: Seen) -> list[TrackedPerson]:
        if self._tracker is None:
            self._size = seen.picture.width, seen.picture.height
            self._tracker = self._tracker_for(seen.picture)
        elif seen.change is Change.CUT:
            self._tracker.restart()
        if isinstance(self._tracker, GivenPeople):
            return await self._tracker.step(seen.picture, frame.time_s, frame.boxes)
        return await self._tracker.step(seen.picture, frame.time_s, seen.detections)

    def _tracker_for(self, first: Picture) -> PeopleTracker | GivenPeople:
        plan, inference = self.plan, self._parts.inference
        if plan.people == "boxes":
            return GivenPeople(inference, plan.model, plan.max_people)
        box = check_box(plan.box, first.width, first.height) if plan.box else None
        main_only = plan.people == "main"
        return PeopleTracker(inference, self._parts.search, self._schedule, plan.model, plan.max_people, main_only, box)

    def _crop_windows(self) -> list[CropWindow]:
        return [] if self._tracker is None else self._tracker.crop_windows

    def _lost(self) -> list[int]:
        """Returns the tracks that the tracker has dropped; the main person's id waits for them to be seen again."""
        if self.plan.people == "main" or self._tracker is None:
            return []
        return list(self._tracks.keys() - set(self._tracker.ids))

    def _end(self, person_ids: list[int]) -> list[TrackState]:
        return [self._tracks.pop(person_id) for person_id in person_ids]

    def _due(self, frame: Frame, ticks: int, tracked: dict[int, FrameOutput], change: Change) -> Due:
        """Returns the windows that are complete with this frame."""
        due: list[tuple[TrackState, Window]] = []
        for person_id, track in self._tracks.items():
            sample = None
            if (output := tracked.get(person_id)) is not None:
                assert output.features is not None
                sample = Sample(
                    frame.frame_id, frame.time_s, output.features[0], output.crop_windows[0], output.version
                )
            due += [(track, window) for window in track.due(sample, ticks, change is Change.REPEATED)]
        return due
