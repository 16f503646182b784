"""`POST /v1/pose`: the poses of the people in a picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import APIRouter, Request
from fastapi.responses import Response

from service.pipeline.admission import Held
from service.pipeline.options import PictureOptions
from service.pipeline.pipeline import Pipeline
from service.rest.accept import accepted
from service.rest.drawing import draw_people
from service.rest.openapi import PROBLEMS, request_of
from service.rest.payload import payload
from service.rest.plain_route import PlainRoute
from service.rest.schemas import PoseJson
from service.vision.images import MEDIA_TYPES, encode_image

PATH = "/v1/pose"
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
        response_model=PoseJson,
        responses=PROBLEMS | {200: {"content": {"image/jpeg": {}, "image/png": {}}}},
        openapi_extra=request_of("image", MEDIA_TYPES, PictureOptions),
        tags=["pose"],
    )
    async def pose(request: Request) -> Response:
        """Joints of the people in a picture. With `Accept: image/jpeg` or `image/png`: the picture with skeletons."""
        wanted = accepted(request, ("application/json", "image/jpeg", "image/png"))
        async with payload(request, "image", PictureOptions, pipeline.workers, json_limit) as sent:
            options, image = sent.options, sent.file.read()
        held: Held = request.state.place
        answer = await pipeline.pictures.estimate(image, options, held)
        if wanted == "application/json":
            return Response(PoseJson.of(answer).model_dump_json(), media_type=wanted)
        drawn = await pipeline.workers.run(
            lambda: encode_image(draw_people(answer.image, answer.people, answer.layout), wanted)
        )
        held.keep(len(drawn) // _BYTES_A_PIXEL)
        return Response(drawn, media_type=wanted)

    return router
