"""`POST /v1/pose`: the poses of the people in a picture."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from deephar.formats import Format
from fastapi import APIRouter, Request
from fastapi.responses import Response

from service.errors import (
    InvalidArgument,
    InvalidImage,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from service.networks.urgency import Latency, become, in_time
from service.pipeline.admission import Held
from service.pipeline.answers import PoseAnswer
from service.pipeline.options import PictureOptions
from service.pipeline.pipeline import Pipeline
from service.rest import formats
from service.rest.accept import accepted
from service.rest.deadline import due_s
from service.rest.drawing import draw_people
from service.rest.form import FileField
from service.rest.formats import JSON, PictureQuestion
from service.rest.openapi import PROBLEMS, request_of
from service.rest.payload import payload
from service.rest.plain_route import PlainRoute
from service.rest.problems import problem_of
from service.rest.schemas import PoseJson, PosesJson, Problem
from service.telemetry.metrics import METRICS
from service.vision.images import MEDIA_TYPES, encode_image

PATH = "/v1/pose"
DRAWN = ("image/jpeg", "image/png")
_BYTES_A_PIXEL = 3  # by which a drawn answer is counted in the budget of pixels


@contextmanager
def place(pipeline: Pipeline) -> Iterator[Held]:
    """Admits one request, and yields its share of the budget of pixels.

    Raises:
        Overloaded: All places are taken.
    """
    with pipeline.requests.enter(), pipeline.pixels.hold() as held:
        yield held


def routes(pipeline: Pipeline, json_limit: int) -> APIRouter:
    router = APIRouter(route_class=PlainRoute)

    @router.post(
        PATH,
        response_model=PoseJson | PosesJson,
        responses=PROBLEMS | {200: {"content": {kind: {} for kind in (*DRAWN, *formats.MEDIA_TYPES)}}},
        openapi_extra=request_of("image", MEDIA_TYPES, PictureQuestion, many="image"),
        tags=["pose"],
    )
    async def pose(request: Request) -> Response:
        """Joints of the people in a picture, or in several: a form may have `image` more than once.

        With `Accept: image/jpeg` or `image/png`: the picture with skeletons. With the type of a format, or the option
        `format`: the joints in that format.
        """
        wanted = accepted(request, (JSON, *DRAWN, *formats.MEDIA_TYPES))
        field = FileField("image", min(pipeline.settings.max_pictures, pipeline.settings.max_requests))
        async with payload(request, [field], PictureQuestion, pipeline.workers, json_limit) as sent:
            options, names, (image, *more) = sent.options, sent.names, [file.read() for file in sent.files]
        become(Latency.BULK if more else Latency.SINGLE, due_s(request, options.deadline_ms))
        if more:
            wanted = accepted(request, (JSON, *formats.MEDIA_TYPES))
        form = formats.format_of(wanted, options)
        options = formats.in_layout_of(form, options)
        if more:
            answers = await in_time(_several(pipeline, [image, *more], options))
            if form is not None:
                return await pipeline.workers.run(_written, form, _all_of(answers), names, options)
            with METRICS.stage("encode").time():
                return Response(answers.model_dump_json(), media_type=JSON)
        held: Held = request.state.place
        load = pipeline.requests.load_by_others
        answer = await in_time(pipeline.pictures.estimate(image, options, held, load, wanted in DRAWN))
        if form is not None:
            return await pipeline.workers.run(_written, form, [PoseJson.of(answer)], names, options)
        if wanted == JSON:
            with METRICS.stage("encode").time():
                return Response(PoseJson.of(answer).model_dump_json(), media_type=wanted)
        drawn = await pipeline.workers.run(_drawn, answer, wanted)
        held.keep(len(drawn) // _BYTES_A_PIXEL)
        return Response(drawn, media_type=wanted)

    return router


def _drawn(answer: PoseAnswer, wanted: str) -> bytes:
    with METRICS.stage("encode").time():
        return encode_image(draw_people(answer.picture.pixels, answer.people, answer.layout), wanted)


def _written(form: Format, answers: list[PoseJson], names: list[str | None], options: PictureQuestion) -> Response:
    with METRICS.stage("encode").time():
        return Response(formats.pictures_in(form, answers, names, options), media_type=form.media_type)


def _all_of(answers: PosesJson) -> list[PoseJson]:
    """Returns the answers for all pictures.

    Raises:
        DeepharError: There is none for one of them, and formats have no place for a problem.
    """
    whole = []
    for number, answer in enumerate(answers.answers, 1):
        if isinstance(answer, Problem):
            raise InvalidImage(f"picture {number}: {answer.detail}; leave it out, or ask for JSON")
        whole.append(answer)
    return whole


async def _several(pipeline: Pipeline, images: list[bytes], options: PictureOptions) -> PosesJson:
    """Returns the answers for several pictures, which are in work together: Triton batches them.

    Raises:
        InvalidArgument: Boxes were sent.
        DeepharError: What is no fault of a single picture.
    """
    if options.boxes:
        raise InvalidArgument("boxes belong to one picture; send a request for each, or no boxes")

    load = pipeline.requests.load_by_others

    async def answer(image: bytes) -> PoseJson | Problem:
        with pipeline.pixels.hold() as held:
            try:
                return PoseJson.of(await pipeline.pictures.estimate(image, options, held, load))
            except (InvalidImage, UnsupportedMediaType, PayloadTooLarge) as error:
                return problem_of(error)

    with pipeline.requests.enter(len(images) - 1):  # the request has one place already
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(answer(image)) for image in images]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
    return PosesJson(answers=[task.result() for task in tasks])
