"""The use cases: poses in a picture, actions in a stream of frames. Knows neither HTTP nor gRPC."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from service.errors import InvalidArgument, InvalidVideo, Overloaded
from service.networks.catalogue import CROPS_INPUT, PERSON_NETWORK, Catalogue, Model
from service.networks.frame import Array, FrameInference
from service.networks.triton import TritonClient
from service.people.detector import PersonDetector
from service.people.search import Found, PeopleSearch
from service.people.tracker import MAIN_PERSON, PeopleTracker
from service.pipeline.admission import Admission, Held, PixelBudget
from service.pipeline.answers import ActionEvent, ClipAnswer, Event, PoseAnswer, PoseEvent, SegmentEvent
from service.pipeline.person import person_in
from service.pipeline.plan import VideoOptions, VideoPlan, people_limit, plan_video
from service.pipeline.summary import ClipSummary
from service.pipeline.track_state import TrackState
from service.settings import Settings
from service.video.sampling import Sampler
from service.video.windows import Sample, Window, WindowBuffer
from service.vision.boxes import Box, check_box
from service.vision.camera import Camera, check_camera
from service.vision.crops import Image, crop_window_around, whole_picture
from service.vision.images import encode_image, open_picture
from service.vision.layouts import layout_named
from service.workers import Workers

LONGEST_SILENCE_S = 2.5  # of a network that calls wait for: with the time between two checks, told within 5 s
LONGEST_TURN_S = 120.0  # that a picture waits for its turn to be decoded
_CHECK_PICTURE = encode_image(np.full((64, 64, 3), 128, np.uint8), "image/jpeg")


@dataclass(frozen=True)
class Frame:
    """One frame of a video on its way in: encoded bytes, or pixels that are decoded already."""

    picture: bytes | Image
    frame_id: int
    time_s: float


@dataclass(frozen=True)
class PoseOptions:
    """What a caller wants of a picture."""

    model: str | None = None
    boxes: list[Box] | None = None
    layout: str | None = None
    camera: Camera | None = None
    max_people: int | None = None
    flip: bool = False  # average with the mirrored picture


class Pipeline:
    """The transports enter `requests` and `streams` before they read what a caller sends."""

    def __init__(self, settings: Settings, catalogue: Catalogue, triton: TritonClient, workers: Workers) -> None:
        self.settings, self.catalogue, self.workers = settings, catalogue, workers
        self._triton = triton
        self._inference = FrameInference(triton, workers)
        self._search = PeopleSearch(catalogue, PersonDetector(triton, workers), self._inference)
        self.requests = Admission(settings.max_requests, "requests")
        self.streams = Admission(settings.max_streams, "videos")
        self.video_pixels = Admission(settings.max_video_pixels, "pixels of video")
        self.pixels = PixelBudget(settings.max_pixels_in_work)

    async def estimate_pose(self, image: bytes, options: PoseOptions, held: Held) -> PoseAnswer:
        """The people in a picture: one for each box, in their order; without boxes whom the detector sees, best first.

        Without a detector in the repository that is the main person. The picture's pixels are taken from `held`.
        """
        started = time.perf_counter()
        chosen, boxes, camera = self.catalogue.named(options.model), options.boxes, options.camera
        own, target = chosen.layout, layout_named(options.layout) if options.layout else chosen.layout
        if boxes and len(boxes) > self.settings.max_boxes:
            raise InvalidArgument(f"{len(boxes)} boxes were sent; at most {self.settings.max_boxes} are taken")
        limit = people_limit(options.max_people, self.settings.max_people)
        if camera is not None:
            check_camera(camera, chosen.card, len(boxes) if boxes else 1)
        pixels = await self.decode(image, held)
        decoded = time.perf_counter()
        found = (
            await self._at_boxes(chosen, pixels, boxes, options.flip)
            if boxes
            else await self._search.find(chosen, pixels, limit, options.flip)
        )
        people = []
        if found is not None:
            output = await self._inference.lifted(chosen, found.output)
            for i, (box, score) in enumerate(found.seen):
                people.append(person_in(output, i, box, own, target, camera, score))
        done = time.perf_counter()
        timing = {"decode": decoded - started, "inference": done - decoded, "total": done - started}
        return PoseAnswer(chosen, pixels, target, people, {name: 1e3 * s for name, s in timing.items()})

    async def check(self) -> None:
        """A small picture through all that an answer with the default model needs; raises what a caller would see."""
        model = self.catalogue.named(None)
        async with self.pixels.hold() as held:
            image = await self.decode(_CHECK_PICTURE, held)
            await self._search.detect(image)
            seen = await self._inference.run(model, image, [whole_picture(image.shape[1], image.shape[0])])
            await self._inference.lifted(model, seen)
            if model.card.clip is not None:
                plan = self.plan(VideoOptions())
                windows = WindowBuffer(plan.frames, plan.hop)
                assert seen.features is not None
                windows.add(Sample(0, 0.0, seen.features[0], seen.crop_windows[0]), 1)
                window = windows.stretched()
                assert window is not None
                await self._scores(plan, [window])

    def stuck_since(self, began: float) -> str | None:
        """Why a check that began then (`time.monotonic`) does not end; None while the service may merely be busy."""
        model = self.catalogue.named(None)
        needed = (PERSON_NETWORK, model.frame_network, model.lift_network, model.clip_network)
        active = {name: activity for name in needed if (activity := self._triton.activity.get(name)) is not None}
        silent = [name for name, a in active.items() if a.silent_s() > max(LONGEST_SILENCE_S, a.patience_s())]
        if silent:
            return f"Triton does not answer for {', '.join(silent)}"
        if time.monotonic() - began > LONGEST_SILENCE_S and not any(
            activity.waiting or activity.answered_after(began) for activity in active.values()
        ):
            return "pictures are not decoded"
        return None

    async def _at_boxes(self, model: Model, image: Image, boxes: list[Box], flip: bool) -> Found:
        wanted = [check_box(box, image.shape[1], image.shape[0]) for box in boxes]
        crop_windows = [crop_window_around(box, model.card.crop.margin) for box in wanted]
        output = await self._inference.run(model, image, crop_windows, flip)
        return Found(output, [(box, None) for box in wanted])

    async def decode(self, image: bytes, held: Held) -> Image:
        """The picture's pixels, when it is their turn."""
        settings = self.settings
        picture = await self.workers.run(open_picture, image, settings.max_image_bytes, settings.max_image_pixels)
        try:
            try:
                async with asyncio.timeout(LONGEST_TURN_S):
                    await held.take(picture.width * picture.height)
            except TimeoutError:
                raise Overloaded("too many large pictures are in work; try again in a second") from None
            return await self.workers.run(picture.decode)
        finally:
            picture.close()

    def plan(self, options: VideoOptions) -> VideoPlan:
        """Checks the options of a video before its first frame."""
        return plan_video(options, self.catalogue, self.settings.max_people)

    async def classify(self, frames: AsyncIterator[Frame], plan: VideoPlan) -> AsyncGenerator[Event | ClipAnswer, None]:
        """The events of a clip that ends; last, when its frames have ended, the answer for all of it."""
        summary, count = ClipSummary(plan), 0

        async def counted() -> AsyncGenerator[Frame, None]:
            nonlocal count
            async for frame in frames:
                count += 1
                yield frame

        async with aclosing(counted()) as in_turn, aclosing(self.follow(in_turn, plan)) as events:
            async for event in events:
                summary.add(event)
                yield event
        yield summary.answer(count)

    async def follow(self, frames: AsyncIterator[Frame], plan: VideoPlan) -> AsyncGenerator[Event, None]:
        """Events as they become known. Of an endless video nothing is kept but what its windows need."""
        tracker: PeopleTracker | None = None
        sampler, actors, sampled = Sampler(plan.interval_s), dict[int, TrackState](), 0
        last: Frame | None = None
        async for frame in frames:
            last = frame
            ticks = sampler.ticks(frame.time_s)
            if not ticks and not plan.every_frame:
                continue
            async with self.pixels.hold() as held:  # not while an event waits for its reader
                image = await self.decode(frame.picture, held) if isinstance(frame.picture, bytes) else frame.picture
                if tracker is None:
                    tracker = self._tracker(image, plan)
                outputs = {seen.id: seen.output for seen in await tracker.step(image, frame.time_s)}
                sampled_outputs = outputs
                if ticks and not outputs and not plan.everybody:
                    # The main person's samples have no gaps: where nobody is seen, the network looks at everything.
                    whole = whole_picture(image.shape[1], image.shape[0])
                    sampled_outputs = {MAIN_PERSON: await self._inference.run(plan.model, image, [whole])}
                del image
            actors |= {someone: TrackState(someone, plan) for someone in sampled_outputs if someone not in actors}
            people = [actors[person_id].person(output, frame.time_s) for person_id, output in outputs.items()]
            yield PoseEvent(frame.frame_id, frame.time_s, people)
            if plan.everybody:
                followed = tracker.ids
                gone = [actors.pop(person_id) for person_id in list(actors) if person_id not in followed]
                async for event in self._ended(gone, plan, sampled, frame):
                    yield event
            if not ticks:
                continue
            sampled += 1
            due = []
            for person_id, output in sampled_outputs.items():
                assert output.features is not None
                sample = Sample(frame.frame_id, frame.time_s, output.features[0], output.crop_windows[0])
                due += [(actors[person_id], window) for window in actors[person_id].windows.add(sample, ticks)]
            async for event in self._judged(due, plan, frame):
                yield event
        if last is None:
            raise InvalidVideo("no frames were sent; send at least one")
        async for event in self._ended(list(actors.values()), plan, sampled, last):
            yield event

    def _tracker(self, first: Image, plan: VideoPlan) -> PeopleTracker:
        box = check_box(plan.box, first.shape[1], first.shape[0]) if plan.box else None
        return PeopleTracker(self._inference, self._search, plan.model, plan.max_people, not plan.everybody, box)

    async def _ended(
        self, actors: list[TrackState], plan: VideoPlan, sampled: int, newest: Frame
    ) -> AsyncIterator[ActionEvent | SegmentEvent]:
        """The last events of people who left or whose video ended after `sampled` samples.

        Who was seen for less than a window is judged by it all the same, stretched, if that is half a window or, in a
        short video, half of it.
        """
        least = min(plan.frames // 2, (sampled + 1) // 2)
        short = [(a, window) for a in actors if (window := a.windows.stretched(least)) is not None]
        async for event in self._judged(short, plan, newest):
            yield event
        for actor in actors:
            if (segment := actor.finish()) is not None:
                yield SegmentEvent(newest.frame_id, newest.time_s, segment)

    async def _judged(
        self, due: list[tuple[TrackState, Window]], plan: VideoPlan, newest: Frame
    ) -> AsyncIterator[ActionEvent | SegmentEvent]:
        """The events of windows that are complete with the frame `newest`."""
        step = plan.model.clip_max_batch
        for part in (due[start : start + step] for start in range(0, len(due), step)):
            scores = await self._scores(plan, [window for _, window in part])
            for (actor, window), row in zip(part, scores, strict=True):
                event, segment = actor.judged(window, row, newest.frame_id, newest.time_s)
                yield event
                if segment is not None:
                    yield SegmentEvent(newest.frame_id, newest.time_s, segment)

    async def _scores(self, plan: VideoPlan, windows: list[Window]) -> Array:
        """(N, A) of N windows, in one batch."""
        tensors = {"action_features": np.concatenate([window.features() for window in windows])}
        if plan.model.clip_takes_crops:
            tensors[CROPS_INPUT] = np.concatenate([window.crop_boxes() for window in windows])
        answer = await self._triton.infer(plan.model.clip_network, tensors)
        scores: Array = answer["action_scores"]
        return scores
