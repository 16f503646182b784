"""`POST /v1/actions`: the actions of the people in a video file."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

from deephar.formats import Format, Poses
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from service.errors import DeepharError, InvalidArgument, InvalidVideo, Unavailable
from service.networks.urgency import Latency, become
from service.pipeline.answers import ClipAnswer, Event, PoseEvent
from service.pipeline.pipeline import Pipeline
from service.pipeline.stream import Stream
from service.rest import formats, problems
from service.rest.accept import accepted
from service.rest.deadline import due_s
from service.rest.form import FileField
from service.rest.formats import JSON, UploadQuestion
from service.rest.openapi import PROBLEMS, request_of
from service.rest.payload import Payload, payload
from service.rest.plain_route import PlainRoute
from service.rest.schemas import ActionsJson, LayoutJson, event_json
from service.stopping import STOPPING, Stopping
from service.telemetry.metrics import METRICS
from service.video.frame import Frame
from service.video.picture_clip import PictureClip, times_of
from service.video.reader import VideoFacts, VideoLimits, VideoReader
from service.video.sampling import Sampler

log = logging.getLogger(__name__)

PATH = "/v1/actions"
NDJSON = "application/x-ndjson"
FRAMES = "frames"
Item = TypeVar("Item")
Events = AsyncGenerator[Event | ClipAnswer, None]
_KINDS = ("video/mp4", "video/webm", "video/quicktime")


def routes(pipeline: Pipeline, stopping: Stopping, json_limit: int) -> APIRouter:
    router = APIRouter(route_class=PlainRoute)

    @router.post(
        PATH,
        response_model=ActionsJson,
        responses=PROBLEMS | {200: {"content": {kind: {} for kind in (NDJSON, *formats.MEDIA_TYPES)}}},
        openapi_extra=request_of("video", _KINDS, UploadQuestion, many=FRAMES),
        tags=["actions"],
    )
    async def actions(request: Request) -> Response:
        """The action in a video, or in a clip that is sent as `frames`, once for each, with `fps` or `timestamps_ms`.

        With `Accept: application/x-ndjson`: one event a line, as they become known. With the type of a format, or the
        option `format`: the joints of each sampled frame in that format.
        """
        wanted = accepted(request, (JSON, NDJSON, *formats.MEDIA_TYPES))
        upload = UploadedVideo(pipeline, stopping, wanted)
        source = upload.events(request, json_limit)
        events = _chain(await anext(source), source)  # the options are known now
        if upload.form is not None:
            text = formats.written(upload.form, upload.layout, upload.question, _poses(events, upload))
            return formats.Document(_chain(await anext(text), text), media_type=upload.form.media_type)
        if wanted == NDJSON:
            lines = _lines(events, upload)
            first = await anext(lines)  # an error before the first event still gets a status of its own
            return StreamingResponse(_chain(first, lines), media_type=NDJSON)
        async with aclosing(events):
            async for event in events:
                if isinstance(event, ClipAnswer):
                    with METRICS.stage("encode").time():
                        return JSONResponse(upload.answer_json(event))
        raise RuntimeError("the pipeline ended without an answer")

    return router


class UploadedVideo:
    """A `FrameSource` of the file in a request, or of its frames. They end early when the service stops."""

    dropped = 0

    def __init__(self, pipeline: Pipeline, stopping: Stopping, accepted_type: str) -> None:
        self._pipeline, self._stopping, self._accepted = pipeline, stopping, accepted_type
        self._source: VideoReader | PictureClip | None = None
        self._stream: Stream | None = None
        self.form: Format | None = None  # that was asked for; known, as the rest, with the first event
        self.question = UploadQuestion()
        self.name: str | None = None  # of the file

    async def events(self, request: Request, json_limit: int) -> Events:
        """Yields the events of the uploaded video. The upload is kept until the last one.

        Args:
            request: The request with the video.
            json_limit: Largest JSON body in bytes; of frames as well, which are held in memory.

        Raises:
            DeepharError: The request is wrong, the video cannot be read, or a network did not answer.
        """
        pipeline = self._pipeline
        fields = (FileField("video"), FileField(FRAMES, pipeline.settings.max_frames, json_limit))
        async with payload(request, fields, UploadQuestion, pipeline.workers, json_limit) as sent:
            become(Latency.BULK, due_s(request, sent.options.deadline_ms))
            self.form = formats.format_of(self._accepted, sent.options)
            self.question = formats.in_layout_of(self.form, sent.options)
            self.name = sent.names[0] if sent.field != FRAMES else None
            self._stream = await pipeline.stream(self.question, self)
            if self.form is not None:
                formats.check(self.form, self.layout, True, self.question)
            async with self._opened(sent), aclosing(self._stream.classified()) as events:
                async for event in events:
                    if isinstance(event, ClipAnswer) and self._stopping.over.is_set():
                        raise Unavailable(STOPPING)
                    yield event

    @asynccontextmanager
    async def _opened(self, sent: Payload[UploadQuestion]) -> AsyncIterator[None]:
        """Opens the source of the frames; a video file takes a part of the pixels of videos."""
        pipeline, options = self._pipeline, sent.options
        limits = VideoLimits(pipeline.settings.max_video_seconds, pipeline.settings.max_image_pixels)
        if sent.field == FRAMES:
            if len(sent.files) < 2:
                raise InvalidVideo("a clip has at least 2 frames; send more, or a picture to /v1/pose")
            times_ns = times_of(len(sent.files), options.fps, options.timestamps_ms)
            limits.check_length(times_ns[-1])
            self._source = PictureClip(sent.files, times_ns)
            yield
            return
        if options.fps is not None or options.timestamps_ms is not None:
            raise InvalidArgument("fps and timestamps_ms are of frames; a video has its own, leave them out")
        async with VideoReader(sent.files[0], limits, pipeline.workers) as self._source:
            with pipeline.video_pixels.enter(await self._source.open()):
                yield

    async def frames(self, sampler: Sampler) -> AsyncGenerator[tuple[Frame, int], None]:
        """Yields the sampled frames, until the service stops."""
        assert self._source is not None
        async with aclosing(self._source.frames(sampler)) as frames:
            async for sample in frames:
                yield sample
                if self._stopping.over.is_set():
                    return

    def answer_json(self, answer: ClipAnswer) -> dict[str, Any]:
        """Returns the answer for the whole video, once its frames have ended."""
        return ActionsJson.of(answer, self._facts).model_dump()

    @property
    def layout(self) -> LayoutJson:
        """The layout of pose events."""
        assert self._stream is not None
        plan = self._stream.plan
        return LayoutJson.of(plan.layout, plan.model.card.has_depth)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the first frame, once there was one."""
        assert self._stream is not None
        return self._stream.size

    @property
    def _facts(self) -> VideoFacts:
        assert self._source is not None
        assert self._stream is not None
        facts = self._source.facts(self._stream.size) if isinstance(self._source, PictureClip) else self._source.facts
        assert facts is not None  # complete, since the frames have ended
        return facts


async def _lines(events: Events, upload: UploadedVideo) -> AsyncGenerator[str, None]:
    """Yields events as lines; the last is the whole answer. An error after the first line is a line of its own."""
    started = False
    try:
        async with aclosing(events):
            async for event in events:
                with METRICS.stage("encode").time():
                    if isinstance(event, ClipAnswer):
                        line = {"event": "answer", **upload.answer_json(event)}
                    else:
                        line = event_json(event)
                    text = json.dumps(line) + "\n"
                yield text
                started = True
    except Exception as error:
        if not started:
            raise
        if not isinstance(error, DeepharError):
            log.exception("a video failed")
        body = problems.own_error(error) if isinstance(error, DeepharError) else problems.internal_error()
        yield json.dumps({"event": "error", **json.loads(bytes(body.body))}) + "\n"


async def _poses(
    events: AsyncGenerator[Event | ClipAnswer, None], upload: UploadedVideo
) -> AsyncGenerator[Poses, None]:
    """Yields the people of each frame as formats take them."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, PoseEvent):
                yield Poses.of_frame(event_json(event), *upload.size, upload.name)


async def _chain(first: Item, rest: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
    async with aclosing(rest):
        yield first
        async for item in rest:
            yield item
