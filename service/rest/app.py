"""The HTTP application: routes, their documentation, and encoding."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from service.errors import DeepharError, InvalidArgument, Unavailable
from service.pipeline.admission import Held
from service.pipeline.answers import ClipAnswer, Event
from service.pipeline.pipeline import Frame, Pipeline, PoseOptions
from service.pipeline.plan import VideoOptions, VideoPlan
from service.pipeline.readiness import Readiness
from service.rest import problems
from service.rest.drawing import draw_people
from service.rest.gate import Gate
from service.rest.openapi import ACTION_OPTIONS, POSE_OPTIONS, PROBLEMS, file_body
from service.rest.requests import Payload, payload
from service.rest.schemas import ActionsJson, HealthJson, ModelJson, ModelsJson, PoseJson, event_json
from service.stopping import STOPPING, Stopping
from service.video.reader import VideoLimits, VideoReader
from service.vision.images import encode_image

log = logging.getLogger(__name__)

NDJSON = "application/x-ndjson"
_MOST_ACCEPTED = 20  # types in an Accept header that are looked at
_FORM_OVERHEAD = 2**20  # a form's own words
_BASE64_GROWTH = 1.4
_BYTES_A_PIXEL = 3  # what an encoded answer counts as, after the picture that it was made of

VideoEvents = AsyncGenerator[tuple[VideoPlan, VideoReader, Event | ClipAnswer], None]

ModelOption = Annotated[str | None, Query(description="name from /v1/models; absent: the default")]
LayoutOption = Annotated[str | None, Query(description="joint layout of the answer; absent: the model's own")]
BoxesOption = Annotated[str | None, Query(description="JSON list of [x, y, width, height] in pixels")]
MaxPeopleOption = Annotated[str | None, Query(description="the best so many people; absent: as many as allowed")]
CameraOption = Annotated[
    str | None,
    Query(
        description="for models that know or lift depth: JSON object of fx, fy, cx, cy in pixels of the upright "
        "picture, and root_depth_mm, how far the pelvis is along the optical axis (a list for several boxes)"
    ),
]


def build_app(pipeline: Pipeline, readiness: Readiness, stopping: Stopping) -> FastAPI:
    settings = pipeline.settings
    app = FastAPI(
        title="deephar-serve",
        version="0.1.0",
        summary="Human pose and action recognition: joints of a person in a picture, the action in a video.",
        license_info={"name": "MIT", "identifier": "MIT"},
    )
    picture_limit, video_limit = (
        int(_BASE64_GROWTH * limit) + _FORM_OVERHEAD for limit in (settings.max_image_bytes, settings.max_video_bytes)
    )
    app.add_middleware(
        Gate,
        settings=settings,
        stopping=stopping,
        places={"/v1/pose": pipeline.requests.enter, "/v1/actions": pipeline.streams.enter},
        body_limit_of=lambda path: video_limit if path == "/v1/actions" else picture_limit,
    )
    problems.install(app)

    async def held_until_sent() -> AsyncIterator[Held]:
        """What the request holds of the budget of pixels, until its answer has been read."""
        async with pipeline.pixels.hold() as held:
            yield held

    @app.post(
        "/v1/pose",
        response_model=PoseJson,
        response_model_exclude_none=True,
        responses=PROBLEMS | {200: {"content": {"image/jpeg": {}, "image/png": {}}}},
        openapi_extra=file_body("image", ("image/jpeg", "image/png", "image/webp", "image/bmp"), POSE_OPTIONS),
        tags=["pose"],
    )
    async def pose(
        request: Request,
        held: Held = Depends(held_until_sent),
        model: ModelOption = None,
        layout: LayoutOption = None,
        boxes: BoxesOption = None,
        camera: CameraOption = None,
        max_people: MaxPeopleOption = None,
        flip: Annotated[str | None, Query(description="true: average with the mirrored picture")] = None,
    ) -> Response:
        """Joints of the people in a picture. With `Accept: image/jpeg` or `image/png`: the picture with skeletons."""
        query = {"model": model, "layout": layout, "boxes": boxes, "camera": camera}
        query |= {"max_people": max_people, "flip": flip}
        async with payload(request, "image", ("image/",), query, pipeline.workers, picture_limit) as sent:
            options = PoseOptions(
                sent.text("model"),
                sent.boxes(settings.max_boxes),
                sent.text("layout"),
                sent.camera(),
                sent.whole_number("max_people"),
                sent.switch("flip", absent=False),
            )
            image = sent.file.read()
        answer = await pipeline.estimate_pose(image, options, held)
        wanted = _accepted(request, ("application/json", "image/jpeg", "image/png"))
        if wanted == "application/json":
            return Response(PoseJson.of(answer).model_dump_json(exclude_none=True), media_type=wanted)
        drawn = await pipeline.workers.run(
            lambda: encode_image(draw_people(answer.image, answer.people, answer.layout), wanted)
        )
        held.keep(len(drawn) // _BYTES_A_PIXEL)
        return Response(drawn, media_type=wanted)

    @app.post(
        "/v1/actions",
        response_model=ActionsJson,
        responses=PROBLEMS | {200: {"content": {NDJSON: {}}}},
        openapi_extra=file_body("video", ("video/mp4", "video/webm", "video/quicktime"), ACTION_OPTIONS),
        tags=["actions"],
    )
    async def actions(
        request: Request,
        model: ModelOption = None,
        layout: LayoutOption = None,
        boxes: BoxesOption = None,
        hop: Annotated[str | None, Query(description="sampled frames between two windows")] = None,
        top_k: Annotated[str | None, Query(description="how many actions to name")] = None,
        people: Annotated[str | None, Query(description="whom to follow: main (the default) or all")] = None,
        max_people: MaxPeopleOption = None,
        smooth: Annotated[str | None, Query(description="false: joints as the network sees them, with jitter")] = None,
    ) -> Response:
        """The action in a video. With `Accept: application/x-ndjson`: one event a line, as they become known."""
        query = {"model": model, "layout": layout, "boxes": boxes, "hop": hop, "top_k": top_k}
        query |= {"people": people, "max_people": max_people, "smooth": smooth}
        events = _classified(pipeline, request, query, picture_limit, stopping)
        if _accepted(request, ("application/json", NDJSON)) == NDJSON:
            lines = _lines(events)
            first = await anext(lines)  # what is wrong with the video is known before the status is sent
            return StreamingResponse(_chain(first, lines), media_type=NDJSON)
        async with aclosing(events):
            async for plan, reader, event in events:
                if isinstance(event, ClipAnswer):
                    return JSONResponse(_answer_json(plan, reader, event))
        raise RuntimeError("the pipeline ended without an answer")

    @app.get("/v1/models", response_model_exclude_none=True, responses=PROBLEMS, tags=["models"])
    async def models() -> ModelsJson:
        return ModelsJson(models=[ModelJson.of(model) for model in pipeline.catalogue.all()])

    @app.get("/v1/models/{name}", response_model_exclude_none=True, responses=PROBLEMS, tags=["models"])
    async def model(name: str) -> ModelJson:
        return ModelJson.of(pipeline.catalogue.card_of(name))

    @app.get("/healthz", tags=["health"])
    async def live() -> HealthJson:
        """The service runs."""
        return HealthJson(status="ok")

    @app.get("/readyz", responses={503: {"model": HealthJson}}, tags=["health"])
    async def ready() -> Response:
        """Pictures and videos are answered: a picture of the service's own has been, a moment ago."""
        fault = readiness.fault()
        if fault is None:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "not ready", "reason": fault}, 503)

    return app


def _accepted(request: Request, offered: tuple[str, ...]) -> str:
    """The first offered type that the caller names; the first of all where none is named or anything will do."""
    for part in request.headers.get("accept", "").split(",")[:_MOST_ACCEPTED]:
        wanted = part.split(";")[0].strip().lower()
        for media_type in offered:
            if wanted in (media_type, "*/*", media_type.split("/")[0] + "/*"):
                return media_type
    return offered[0]


def _video(pipeline: Pipeline, sent: Payload) -> tuple[VideoPlan, VideoReader]:
    boxes = sent.boxes(pipeline.settings.max_boxes)
    if len(boxes) > 1:
        raise InvalidArgument("a video takes one box: where the person is in its first frame")
    options = VideoOptions(
        model=sent.text("model"),
        layout=sent.text("layout"),
        hop=sent.whole_number("hop"),
        top_k=sent.whole_number("top_k"),
        box=boxes[0] if boxes else None,
        everybody=sent.one_of("people", ("main", "all")) == "all",
        max_people=sent.whole_number("max_people"),
        smooth=sent.switch("smooth", absent=True),
    )
    settings = pipeline.settings
    limits = VideoLimits(settings.max_video_seconds, settings.max_image_pixels)
    return pipeline.plan(options), VideoReader(sent.file, limits, pipeline.workers)


async def _frames(reader: VideoReader, plan: VideoPlan, stopping: Stopping) -> AsyncGenerator[Frame, None]:
    async with aclosing(reader.frames(plan.interval_s)) as frames:
        async for frame in frames:
            yield Frame(frame.image, frame.frame_id, frame.time_s)
            if stopping.over.is_set():
                return


async def _classified(
    pipeline: Pipeline, request: Request, query: dict[str, Any], json_limit: int, stopping: Stopping
) -> VideoEvents:
    """Reads the video and follows it; what is sent is held until the last event."""
    async with payload(request, "video", ("video/",), query, pipeline.workers, json_limit) as sent:
        plan, reader = _video(pipeline, sent)
        async with reader:
            with pipeline.video_pixels.enter(await reader.open()):
                async with (
                    aclosing(_frames(reader, plan, stopping)) as frames,
                    aclosing(pipeline.classify(frames, plan)) as events,
                ):
                    async for event in events:
                        if isinstance(event, ClipAnswer) and stopping.over.is_set():
                            raise Unavailable(STOPPING)
                        yield plan, reader, event


def _answer_json(plan: VideoPlan, reader: VideoReader, answer: ClipAnswer) -> dict[str, Any]:
    assert reader.facts is not None  # complete, since the frames have ended
    return ActionsJson.of(answer, plan, reader.facts).model_dump()


async def _lines(events: VideoEvents) -> AsyncGenerator[str, None]:
    """Events as lines; the last is the whole answer. An error after the first line becomes a line of its own."""
    started = False
    try:
        async with aclosing(events):
            async for plan, reader, event in events:
                if isinstance(event, ClipAnswer):
                    line = {"event": "answer", **_answer_json(plan, reader, event)}
                else:
                    line = event_json(event, plan)
                yield json.dumps(line) + "\n"
                started = True
    except Exception as error:
        if not started:
            raise
        if not isinstance(error, DeepharError):
            log.exception("a video failed")
        body = problems.own_error(error) if isinstance(error, DeepharError) else problems.internal_error()
        yield json.dumps({"event": "error", **json.loads(bytes(body.body))}) + "\n"


async def _chain(first: str, rest: AsyncGenerator[str, None]) -> AsyncIterator[str]:
    async with aclosing(rest):
        yield first
        async for line in rest:
            yield line
