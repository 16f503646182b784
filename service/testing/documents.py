"""The service's OpenAPI document without a running service: of it types and the reference are made."""

from __future__ import annotations

from typing import Any

from service.access.access import Access
from service.networks.catalogue import Catalogue
from service.pipeline.options import StreamOptions, TrackedBoxes
from service.pipeline.pipeline import Pipeline
from service.pipeline.readiness import Readiness
from service.rest.app import build_app
from service.settings import Settings
from service.stopping import Stopping
from service.testing.networks import FakeServer
from service.workers import Workers


async def openapi() -> dict[str, Any]:
    """Returns the document, with the texts of a WebSocket among its schemas. No inference server is asked."""
    settings, server, workers = Settings(), FakeServer(), Workers(1)
    try:
        catalogue = Catalogue(server, settings.default_model, None, settings.catalogue_poll_s)
        pipeline, stopping = Pipeline(settings, catalogue, server, workers), Stopping()
        app = build_app(pipeline, Readiness(pipeline, stopping), stopping, Access(settings))
        document = app.openapi()
    finally:
        workers.close()
    for sent in (StreamOptions, TrackedBoxes):  # which OpenAPI does not know
        schema = sent.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"] |= {**schema.pop("$defs", {}), sent.__name__: schema}
    return document
