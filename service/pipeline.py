"""The use cases: poses in a picture, actions in a stream of frames. Knows neither HTTP nor gRPC."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

import numpy as np

from service.answers import ActionEvent, ActionScore, ClipAnswer, Event, PoseAnswer, PoseEvent, SegmentEvent
from service.camera import Camera, check_camera
from service.catalogue import CROPS_INPUT, Catalogue, Model
from service.errors import InvalidArgument, InvalidVideo
from service.finding import find_person
from service.frame_inference import Array, FrameInference
from service.geometry import Box, Image, check_box, square_around
from service.images import decode_image
from service.layouts import Layout, layout_named
from service.people import person_in
from service.sampling import Sampler
from service.settings import Settings
from service.tracking import PersonTracker
from service.triton.client import TritonClient
from service.windows import Sample, SegmentMerger, Window, WindowBuffer
from service.workers import Admission, Workers

DEFAULT_TOP_K = 5


@dataclass(frozen=True)
class Frame:
    """One frame of a video on its way in: encoded bytes, or pixels that are decoded already."""

    picture: bytes | Image
    frame_id: int
    time_s: float


@dataclass(frozen=True)
class VideoOptions:
    model: str | None = None
    hop: int | None = None
    top_k: int | None = None
    layout: str | None = None
    box: Box | None = None
    every_frame: bool = False  # a pose for every frame, not only for the sampled ones


@dataclass(frozen=True)
class VideoPlan:
    """Options that were checked against the model."""

    model: Model
    layout: Layout
    frames: int  # of a window
    hop: int
    top_k: int
    interval_s: float
    labels: tuple[str, ...]
    box: Box | None
    every_frame: bool


class Pipeline:
    def __init__(self, settings: Settings, catalogue: Catalogue, triton: TritonClient, workers: Workers) -> None:
        self.settings, self.catalogue, self.workers = settings, catalogue, workers
        self._triton = triton
        self._inference = FrameInference(triton, workers)
        self.requests = Admission(settings.max_requests, "requests")
        self.streams = Admission(settings.max_streams, "videos")

    async def estimate_pose(
        self,
        image: bytes,
        model: str | None = None,
        boxes: list[Box] | None = None,
        layout: str | None = None,
        camera: Camera | None = None,
    ) -> PoseAnswer:
        """The people in a picture: one for each box, in their order; without boxes the main person, if there is one."""
        with self.requests.enter():
            started = time.perf_counter()
            chosen = self.catalogue.named(model)
            own, target = chosen.layout, layout_named(layout) if layout else chosen.layout
            if boxes and len(boxes) > self.settings.max_boxes:
                raise InvalidArgument(f"{len(boxes)} boxes were sent; at most {self.settings.max_boxes} are taken")
            if camera is not None:
                check_camera(camera, chosen.card, len(boxes) if boxes else 1)
            pixels = await self.decode(image)
            decoded = time.perf_counter()
            height, width = pixels.shape[:2]
            people = []
            if boxes:
                wanted = [check_box(box, width, height) for box in boxes]
                squares = [square_around(box, chosen.card.crop.margin) for box in wanted]
                output = await self._inference.run(chosen, pixels, squares)
                people = [person_in(output, i, box, own, target, camera) for i, box in enumerate(wanted)]
            else:
                found = await find_person(self._inference, chosen, pixels)
                if found is not None:
                    people = [person_in(found, 0, None, own, target, camera)]
            done = time.perf_counter()
            timing = {"decode": decoded - started, "inference": done - decoded, "total": done - started}
            return PoseAnswer(chosen, pixels, target, people, {name: 1e3 * s for name, s in timing.items()})

    async def decode(self, image: bytes) -> Image:
        settings = self.settings
        return await self.workers.run(decode_image, image, settings.max_image_bytes, settings.max_image_pixels)

    def plan(self, options: VideoOptions) -> VideoPlan:
        """Checks the options of a video before its first frame."""
        model = self.catalogue.named(options.model, needs_actions=True)
        clip = model.card.clip
        assert clip is not None
        hop = options.hop or max(1, clip.frames // 4)
        if not 1 <= hop <= clip.frames:
            raise InvalidArgument(f"hop must be between 1 and {clip.frames} sampled frames for model {model.name!r}")
        top_k = options.top_k or min(DEFAULT_TOP_K, len(clip.labels))
        if not 1 <= top_k <= len(clip.labels):
            raise InvalidArgument(f"top_k must be between 1 and {len(clip.labels)} for model {model.name!r}")
        layout = layout_named(options.layout) if options.layout else model.layout
        return VideoPlan(
            model, layout, clip.frames, hop, top_k, clip.interval_s, clip.labels, options.box, options.every_frame
        )

    async def follow(self, frames: AsyncIterator[Frame], plan: VideoPlan) -> AsyncGenerator[Event | ClipAnswer, None]:
        """Events as they become known; last, when the frames have ended, the answer for the whole clip."""
        with self.streams.enter():
            started = time.perf_counter()
            tracker: PersonTracker | None = None
            sampler, windows, segments = Sampler(plan.interval_s), WindowBuffer(plan.frames, plan.hop), SegmentMerger()
            window_scores, finished, count = [], [], 0
            last: Frame | None = None
            async for frame in frames:
                count += 1
                last = frame
                ticks = sampler.ticks(frame.time_s)
                if not ticks and not plan.every_frame:
                    continue
                image = await self.decode(frame.picture) if isinstance(frame.picture, bytes) else frame.picture
                if tracker is None:
                    box = check_box(plan.box, image.shape[1], image.shape[0]) if plan.box else None
                    tracker = PersonTracker(self._inference, plan.model, box)
                output, seen = await tracker.step(image)
                people = [person_in(output, 0, None, plan.model.layout, plan.layout)] if seen else []
                yield PoseEvent(frame.frame_id, frame.time_s, people)
                if not ticks:
                    continue
                assert output.features is not None
                sample = Sample(frame.frame_id, frame.time_s, output.features[0], output.squares[0])
                for window in windows.add(sample, ticks):
                    scores = await self._scores(plan, window)
                    window_scores.append(scores)
                    action = _action(plan, window, scores, sample)
                    yield action
                    top = action.actions[0]
                    done = segments.add(action.start_s, action.end_s, top.label, top.score)
                    if done is not None:
                        finished.append(done)
                        yield SegmentEvent(frame.frame_id, frame.time_s, done)
            if last is None:
                raise InvalidVideo("no frames were sent; send at least one")
            short = windows.stretched()
            if short is not None:
                scores = await self._scores(plan, short)
                window_scores.append(scores)
                action = _action(plan, short, scores, short.samples[-1])
                yield action
                segments.add(action.start_s, action.end_s, action.actions[0].label, action.actions[0].score)
            done = segments.finish()
            if done is not None:
                finished.append(done)
                yield SegmentEvent(last.frame_id, last.time_s, done)
            mean = np.mean(window_scores, axis=0)
            timing = {"total": 1e3 * (time.perf_counter() - started)}
            yield ClipAnswer(_ranked(mean, plan), finished, count, timing)

    async def _scores(self, plan: VideoPlan, window: Window) -> Array:
        tensors = {"action_features": window.features()}
        if plan.model.clip_takes_crops:
            tensors[CROPS_INPUT] = window.crop_boxes()
        answer = await self._triton.infer(plan.model.clip_network, tensors)
        scores: Array = answer["action_scores"][0]
        return scores


def _action(plan: VideoPlan, window: Window, scores: Array, newest: Sample) -> ActionEvent:
    first, last = window.samples[0], window.samples[-1]
    return ActionEvent(newest.frame_id, newest.time_s, first.frame_id, first.time_s, last.time_s, _ranked(scores, plan))


def _ranked(scores: Array, plan: VideoPlan) -> list[ActionScore]:
    best = np.argsort(-scores, kind="stable")[: plan.top_k]
    return [ActionScore(plan.labels[i], float(scores[i])) for i in best]
