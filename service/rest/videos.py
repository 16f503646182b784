"""`POST /v1/actions`: the actions of the people in a video file."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from deephar.formats import Poses
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from service.errors import DeepharError
from service.pipeline.answers import ClipAnswer, Event, PoseEvent
from service.pipeline.pipeline import Pipeline
from service.rest import formats, problems
from service.rest.accept import accepted
from service.rest.annotated import Events, annotated
from service.rest.openapi import PROBLEMS, request_of
from service.rest.plain_route import PlainRoute
from service.rest.schemas import ActionsJson, event_json
from service.rest.streamed import StreamedAnswer
from service.rest.upload import FRAMES, UploadedVideo
from service.stopping import Stopping
from service.telemetry.metrics import METRICS

log = logging.getLogger(__name__)

PATH = "/v1/actions"
NDJSON, MP4 = "application/x-ndjson", "video/mp4"
_KINDS = ("video/mp4", "video/webm", "video/quicktime")


def routes(pipeline: Pipeline, stopping: Stopping, json_limit: int) -> APIRouter:
    router = APIRouter(route_class=PlainRoute)

    @router.post(
        PATH,
        response_model=ActionsJson,
        responses=PROBLEMS | {200: {"content": {kind: {} for kind in (NDJSON, MP4, *formats.MEDIA_TYPES)}}},
        openapi_extra=request_of("video", _KINDS, formats.UploadQuestion, many=FRAMES),
        tags=["actions"],
    )
    async def actions(request: Request) -> Response:
        """The action in a video, or in a clip that is sent as `frames`, once for each, with `fps` or `timestamps_ms`.

        With `Accept: application/x-ndjson`: one event a line, as they become known. With `Accept: video/mp4`: the video
        with skeletons, ids and actions drawn in, and its sound, as it is made. With the type of a format, or the option
        `format`: the joints of each sampled frame in that format.
        """
        wanted = accepted(request, (formats.JSON, NDJSON, MP4, *formats.MEDIA_TYPES))
        upload = UploadedVideo(pipeline, stopping, wanted, is_drawn=wanted == MP4)
        events = upload.events(request, json_limit)
        if wanted == NDJSON:
            return await StreamedAnswer.begun(_lines(events, upload), wanted)
        if wanted == MP4:
            return await StreamedAnswer.begun(annotated(upload, events), wanted)
        event = await anext(events)  # with it the options are known
        if upload.form is not None:
            poses = _poses(event, events, upload)
            text = formats.written(upload.form, upload.layout, upload.question, poses)
            return await StreamedAnswer.begun(text, upload.form.media_type)
        async with aclosing(events):
            while not isinstance(event, ClipAnswer):
                event = await anext(events)
            with METRICS.stage("encode").time():
                return JSONResponse(upload.answer_json(event))

    return router


async def _poses(event: Event | ClipAnswer, events: Events, upload: UploadedVideo) -> AsyncGenerator[Poses, None]:
    """Yields the people of each frame as formats take them, from an event and those after it."""
    async with aclosing(events):
        while not isinstance(event, ClipAnswer):
            if isinstance(event, PoseEvent):
                yield Poses.of_frame(event_json(event), *upload.size, upload.name)
            event = await anext(events)


async def _lines(events: Events, upload: UploadedVideo) -> AsyncGenerator[bytes, None]:
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
                    text = (json.dumps(line) + "\n").encode()
                yield text
                started = True
    except Exception as error:
        if not started:
            raise
        if not isinstance(error, DeepharError):
            log.exception("a video failed")
        body = problems.own_error(error) if isinstance(error, DeepharError) else problems.internal_error()
        yield (json.dumps({"event": "error", **json.loads(bytes(body.body))}) + "\n").encode()
