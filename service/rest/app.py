"""The HTTP application: routes behind the gate."""

from __future__ import annotations

from functools import partial

from deephar.version import __version__
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from service.pipeline.pipeline import Pipeline
from service.pipeline.readiness import Readiness
from service.rest import catalogue, operations, pictures, problems, stream, videos
from service.rest.gate import Gate
from service.stopping import Stopping


def build_app(pipeline: Pipeline, readiness: Readiness, stopping: Stopping) -> FastAPI:
    """Returns the application.

    Args:
        pipeline: The use cases.
        readiness: What `/readyz` answers.
        stopping: State of the shutdown.
    """
    settings = pipeline.settings
    app = FastAPI(
        title="deephar-serve",
        version=__version__,
        summary="Human pose and action recognition: joints of a person in a picture, the action in a video.",
        license_info={"name": "MIT", "identifier": "MIT"},
        telemetry={"tracing": False, "metrics": False, "logs": False},  # otherwise it is looked for at each request
    )
    picture_limit, video_limit = settings.max_body_bytes, settings.max_video_body_bytes
    app.add_middleware(
        Gate,
        settings=settings,
        stopping=stopping,
        places={pictures.PATH: partial(pictures.place, pipeline), videos.PATH: pipeline.streams.enter},
        body_limit_of=lambda path: video_limit if path == videos.PATH else picture_limit,
    )
    if settings.origins:
        app.add_middleware(CORSMiddleware, allow_origins=settings.origins, allow_methods=["*"], allow_headers=["*"])
    problems.install(app)
    app.include_router(pictures.routes(pipeline, picture_limit))
    app.include_router(videos.routes(pipeline, stopping, picture_limit))
    app.include_router(stream.routes(pipeline, stopping))
    app.include_router(catalogue.routes(pipeline.catalogue, readiness))
    app.include_router(operations.routes(settings))
    return app
