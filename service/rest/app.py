"""The HTTP application: routes behind the gate."""

from __future__ import annotations

from functools import partial

from deephar.version import __version__
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from service.access.access import Access
from service.access.limits import Kind
from service.pipeline.pipeline import Pipeline
from service.pipeline.readiness import Readiness
from service.rest import catalogue, pictures, problems, stream, videos
from service.rest.access import CallerAccess
from service.rest.gate import Gate
from service.rest.openapi import with_keys
from service.rest.security_headers import SecurityHeaders, page_policy
from service.settings import Settings
from service.stopping import Stopping

_FORM_OVERHEAD = 2**20  # bytes of a form besides its file
_BASE64_GROWTH = 1.4


def build_app(pipeline: Pipeline, readiness: Readiness, stopping: Stopping, access: Access) -> FastAPI:
    """Returns the application.

    Args:
        pipeline: The use cases.
        readiness: What `/readyz` answers.
        stopping: State of the shutdown.
        access: Who may use it.
    """
    settings = pipeline.settings
    app = FastAPI(
        title="deephar-serve",
        version=__version__,
        summary="Human pose and action recognition: joints of a person in a picture, the action in a video.",
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        license_info={"name": "MIT", "identifier": "MIT"},
        telemetry={"tracing": False, "metrics": False, "logs": False},  # otherwise it is looked for at each request
    )
    picture_limit, video_limit = _body_limits(settings)
    app.add_middleware(
        Gate,
        settings=settings,
        stopping=stopping,
        places={pictures.PATH: partial(pictures.place, pipeline), videos.PATH: pipeline.streams.enter},
        body_limit_of=lambda path: video_limit if path == videos.PATH else picture_limit,
    )
    kinds: dict[str, Kind] = {pictures.PATH: "request", videos.PATH: "stream", stream.PATH: "stream"}
    origins = [origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()]
    app.add_middleware(CallerAccess, access=access, kinds=kinds, origins=origins)
    if origins:
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"])
    app.add_middleware(SecurityHeaders, policy=page_policy(app))
    if not access.is_open:
        app.openapi = with_keys(app)  # type: ignore[method-assign]
    problems.install(app)
    app.include_router(pictures.routes(pipeline, picture_limit))
    app.include_router(videos.routes(pipeline, stopping, picture_limit))
    app.include_router(stream.routes(pipeline, stopping))
    app.include_router(catalogue.routes(pipeline.catalogue, readiness))
    return app


def _body_limits(settings: Settings) -> tuple[int, int]:
    """Returns the largest body in bytes with a picture, and with a video."""
    limits = (settings.max_image_bytes, settings.max_video_bytes)
    picture, video = (int(_BASE64_GROWTH * limit) + _FORM_OVERHEAD for limit in limits)
    return picture, video
