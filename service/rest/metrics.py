"""`/metrics` for Prometheus and, beside it, Triton's own; with REST, and alone on a port of its own."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder

from service.rest import problems
from service.rest.accept import accepted
from service.rest.openapi import PROBLEMS
from service.rest.plain_route import PlainRoute
from service.telemetry.metrics import METRICS
from service.telemetry.triton_metrics import TritonMetrics

_PLAIN, _OPENMETRICS = "text/plain", "application/openmetrics-text"
PATHS = ("/metrics", "/metrics/triton")


def routes(triton: TritonMetrics) -> APIRouter:
    router = APIRouter(route_class=PlainRoute, tags=["metrics"])

    @router.get(PATHS[0], responses={200: {"content": {_PLAIN: {}, _OPENMETRICS: {}}}, 406: PROBLEMS[406]})
    async def service(request: Request) -> Response:
        """Metrics of the service in Prometheus' text format, or as OpenMetrics where `Accept` asks for it."""
        accepted(request, (_PLAIN, _OPENMETRICS))
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(METRICS.registry), headers={"content-type": media_type})

    @router.get(PATHS[1], responses={200: {"content": {_PLAIN: {}}}, 406: PROBLEMS[406], 503: PROBLEMS[503]})
    async def of_triton(request: Request) -> Response:
        """Triton's own metrics in Prometheus' text format; of several Tritons, with the label `address`."""
        accepted(request, (_PLAIN,))
        return Response(await triton.read(), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})

    return router


def metrics_app(triton: TritonMetrics) -> FastAPI:
    """Returns an application with the metrics alone."""
    app = FastAPI(openapi_url=None, telemetry={"tracing": False, "metrics": False, "logs": False})
    problems.install(app)
    app.include_router(routes(triton))
    return app
