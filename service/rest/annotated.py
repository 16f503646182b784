"""An uploaded video with its people and their actions drawn in, as MP4 that is made while it is sent.

The video is read twice. The first pass is the pipeline's, whose events hold no pixels. The second pass draws, a window
of the model behind the first: so it knows the samples around each frame and the action of the window that ends after
it. What waits between both passes is keypoints and captions, and the first goes on only as the second needs it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, closing
from functools import partial
from typing import BinaryIO

import cv2
import numpy as np
from av.container import InputContainer
from deephar.annotated import LONGEST_SIDE, AnnotatedVideo
from deephar.drawing import Drawn, draw_people
from deephar.timeline import Timeline

from service.errors import InvalidArgument
from service.pipeline.answers import ActionEvent, ClipAnswer, Event, PoseEvent
from service.rest.drawing import drawn
from service.rest.upload import UploadedVideo
from service.telemetry.metrics import METRICS
from service.video.reader import open_container
from service.vision.crops import Image
from service.vision.layouts import Layout

Events = AsyncGenerator[Event | ClipAnswer, None]


async def annotated(upload: UploadedVideo, events: Events) -> AsyncGenerator[bytes, None]:
    """Yields the parts of the file.

    Args:
        upload: The video.
        events: Of the video; they are closed at the end.

    Raises:
        DeepharError: As the events.
    """
    async with aclosing(events):
        known = _Known(upload, events)
        await known.until(0.0)
        if max(upload.size) > LONGEST_SIDE:
            raise InvalidArgument(f"an MP4 has at most {LONGEST_SIDE} pixels a side; ask for application/json")
        making = _Making(upload.size, upload.plan.layout, upload.file_again(), upload.most_pixels)
        with upload.encoding(), closing(making):
            async with aclosing(upload.frames_again()) as frames:
                async for frame in frames:
                    people = await known.until(frame.time_s)
                    part = await upload.on_pixels(frame, partial(making.add, people, frame.time_s))
                    del frame
                    if part:
                        yield part
            yield await upload.workers.run(making.finish)


class _Known:
    """What the first pass has found so far."""

    def __init__(self, upload: UploadedVideo, events: Events) -> None:
        self._upload, self._events = upload, events
        self._timeline: Timeline | None = None
        self._ahead_s = 0.0
        self._ended = False

    async def until(self, time_s: float) -> list[Drawn]:
        """Returns the people at a time, once the first pass is far enough."""
        while not self._ended and (self._timeline is None or self._timeline.reaches_s <= time_s + self._ahead_s):
            self._add(await anext(self._events))
        return [] if self._timeline is None else self._timeline.at(time_s)

    def _add(self, event: Event | ClipAnswer) -> None:
        if self._timeline is None:
            plan = self._upload.plan
            self._timeline = Timeline(with_ids=plan.people == "all")
            self._ahead_s = plan.frames * plan.interval_s
        match event:
            case ClipAnswer():
                self._ended = True
            case PoseEvent():
                people = {person.id: drawn(person) for person in event.people if person.id is not None}
                self._timeline.add_people(event.at.time_ns / 1e9, people)
            case ActionEvent():
                best = event.winner
                label, score = (best.label, best.score) if best is not None else (None, 0.0)
                self._timeline.add_action(event.person_id, event.start_s, event.end_s, label, score)


class _Making:
    """The file that is being made. Its methods are jobs for the pool, never two at once."""

    def __init__(self, size: tuple[int, int], layout: Layout, file: BinaryIO | None, most_pixels: int) -> None:
        self._size, self._layout, self._file, self._most_pixels = size, layout, file, most_pixels
        self._written: list[bytes] = []
        self._sound: InputContainer | None = None
        self._video: AnnotatedVideo | None = None

    def add(self, people: list[Drawn], time_s: float, image: Image) -> bytes:
        """Adds a frame; returns what of the file is ready."""
        with METRICS.stage("encode").time():
            video = self._video or self._begin()
            canvas = draw_people(image, people, self._layout.joints, self._layout.edges)
            video.write(fitted(canvas, self._size), time_s)
        return self._taken()

    def finish(self) -> bytes:
        """Returns the end of the file."""
        assert self._video is not None
        with METRICS.stage("encode").time():
            self._video.finish()
        return self._taken()

    def close(self) -> None:
        video, self._video = self._video, None  # which knows this object, as its sink
        if video is not None:
            video.close()
        if self._sound is not None:
            self._sound.close()

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def _begin(self) -> AnnotatedVideo:
        if self._file is not None:
            self._sound = open_container(self._file, self._most_pixels)
        self._video = AnnotatedVideo(self, self._size, audio_from=self._sound)
        return self._video

    def _taken(self) -> bytes:
        written, self._written = self._written, []
        return b"".join(written)


def fitted(image: Image, size: tuple[int, int]) -> Image:
    """Returns the picture as large as it can be in the middle of one of this width and height, with black around."""
    (height, width), (columns, rows) = image.shape[:2], size
    if (width, height) == size:
        return image
    scale = min(columns / width, rows / height)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = np.zeros((rows, columns, 3), np.uint8)
    left, top = (columns - inner[0]) // 2, (rows - inner[1]) // 2
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)
    return canvas
