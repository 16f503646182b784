"""`/v1/models`, `/healthz` and `/readyz`."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, Response

from service.errors import Unavailable
from service.networks.catalogue import Catalogue
from service.networks.engines import engine_being_built
from service.pipeline.readiness import Readiness
from service.rest.accept import takes_json
from service.rest.openapi import PROBLEMS
from service.rest.schemas import EngineJson, HealthJson, ModelJson, ModelsJson, ModelStateJson, ReadyJson
from service.settings import Settings


def routes(catalogue: Catalogue, readiness: Readiness, settings: Settings) -> APIRouter:
    router = APIRouter(dependencies=[Depends(takes_json)])

    @router.get("/v1/models", responses=PROBLEMS, tags=["models"])
    async def models() -> ModelsJson:
        known, incomplete = catalogue.all(), catalogue.incomplete()
        return ModelsJson(
            models=[ModelJson.of(model) for model in known],
            incomplete=[ModelStateJson.of(state) for state in incomplete],
        )

    @router.get("/v1/models/{name}", responses=PROBLEMS, tags=["models"])
    async def model(name: str) -> ModelJson:
        return ModelJson.of(catalogue.card_of(name))

    @router.get("/healthz", responses=PROBLEMS, tags=["health"])
    async def live() -> HealthJson:
        """The service runs."""
        return HealthJson(status="ok")

    @router.get("/readyz", response_model=ReadyJson, responses=PROBLEMS | {503: {"model": ReadyJson}}, tags=["health"])
    async def ready() -> Response:
        """The service answers: a small picture of its own has just gone through the whole pipeline."""
        fault = readiness.fault()
        engine = await asyncio.to_thread(engine_being_built, settings.engines) if settings.engines else None
        body = ReadyJson(
            status="ok" if fault is None else "not ready",
            reason=fault,
            models=[ModelStateJson.of(state) for state in catalogue.states()],
            engines=None if engine is None else EngineJson.of(engine),
        ).model_dump(exclude_none=True)
        headers = {"Retry-After": str(Unavailable.retry_after_s)}
        return JSONResponse(body) if fault is None else JSONResponse(body, 503, headers)

    return router
