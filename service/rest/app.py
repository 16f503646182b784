"""The HTTP application: routes behind the gate."""

from __future__ import annotations

from functools import partial

from deephar.version import __version__
from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.routing import Route, WebSocketRoute

from service.access.access import Access
from service.access.limits import Kind
from service.pipeline.pipeline import Pipeline
from service.pipeline.readiness import Readiness
from service.rest import catalogue, docs, metrics, operations, page, pictures, problems, stream, videos
from service.rest.access import CallerAccess
from service.rest.gate import Gate
from service.rest.openapi import with_keys
from service.rest.security_headers import SecurityHeaders
from service.stopping import Stopping
from service.telemetry.traces import TRACES
from service.telemetry.triton_metrics import TritonMetrics

_READABLE = ("X-Request-ID", "Retry-After")  # headers of answers, by pages of other origins


def build_app(
    pipeline: Pipeline,
    readiness: Readiness,
    stopping: Stopping,
    access: Access,
    triton_metrics: TritonMetrics = TritonMetrics({}),
) -> FastAPI:
    """Returns the application.

    Args:
        pipeline: The use cases.
        readiness: What `/readyz` answers.
        stopping: State of the shutdown.
        access: Who may use it.
        triton_metrics: What `/metrics/triton` answers.
    """
    settings = pipeline.settings
    app = FastAPI(
        title="deephar-serve",
        version=__version__,
        summary="Human pose and action recognition: joints of a person in a picture, the action in a video.",
        redoc_url=None,
        docs_url=None,  # its files would be of another host
        swagger_ui_oauth2_redirect_url=None,
        license_info={"name": "MIT", "identifier": "MIT"},
        servers=[{"url": "."}],  # beside the document, whatever prefix a proxy puts before it
        telemetry=TRACES.for_fastapi(),
    )
    picture_limit, video_limit = settings.max_body_bytes, settings.max_video_body_bytes
    app.add_middleware(
        Gate,
        settings=settings,
        stopping=stopping,
        places={pictures.PATH: partial(pictures.place, pipeline), videos.PATH: pipeline.streams.enter},
        body_limit_of=lambda path: video_limit if path == videos.PATH else picture_limit,
    )
    kinds: dict[str, Kind] = {pictures.PATH: "request", videos.PATH: "stream", stream.PATH: "stream"}
    app.add_middleware(CallerAccess, access=access, kinds=kinds, origins=settings.origins)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=_READABLE,
        )
    app.add_middleware(SecurityHeaders)
    if not access.is_open:
        app.openapi = with_keys(app)  # type: ignore[method-assign]
    problems.install(app)
    app.state.paths = paths_of(app.router)  # of its own pages
    for router in (
        pictures.routes(pipeline, picture_limit),
        videos.routes(pipeline, stopping, picture_limit),
        stream.routes(pipeline, stopping),
        catalogue.routes(pipeline.catalogue, readiness, settings),
        operations.routes(settings),
        metrics.routes(triton_metrics),
        page.routes(page.page_files() | docs.docs_files(app)),
    ):
        app.include_router(router)
        app.state.paths += paths_of(router)
    return app


def paths_of(router: APIRouter) -> list[str]:
    """Returns the paths of its routes."""
    return [route.path for route in router.routes if isinstance(route, Route | WebSocketRoute)]
