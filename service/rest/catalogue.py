"""`/v1/models`, `/healthz` and `/readyz`."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from service.errors import Unavailable
from service.networks.catalogue import Catalogue
from service.pipeline.readiness import Readiness
from service.rest.openapi import PROBLEMS
from service.rest.schemas import HealthJson, ModelJson, ModelsJson


def routes(catalogue: Catalogue, readiness: Readiness) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/models", responses=PROBLEMS, tags=["models"])
    async def models() -> ModelsJson:
        return ModelsJson(models=[ModelJson.of(model) for model in catalogue.all()])

    @router.get("/v1/models/{name}", responses=PROBLEMS, tags=["models"])
    async def model(name: str) -> ModelJson:
        return ModelJson.of(catalogue.card_of(name))

    @router.get("/healthz", responses=PROBLEMS, tags=["health"])
    async def live() -> HealthJson:
        """The service runs."""
        return HealthJson(status="ok")

    @router.get("/readyz", responses=PROBLEMS | {503: {"model": HealthJson}}, tags=["health"])
    async def ready() -> Response:
        """The service answers: a small picture of its own has just gone through the whole pipeline."""
        fault = readiness.fault()
        if fault is None:
            return JSONResponse({"status": "ok"})
        headers = {"Retry-After": str(Unavailable.retry_after_s)}
        return JSONResponse({"status": "not ready", "reason": fault}, 503, headers)

    return router
