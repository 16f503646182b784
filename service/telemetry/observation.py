"""Begin and end of each request: counted, timed, and told by an access line."""

from __future__ import annotations

from functools import cache
from time import perf_counter

from service.telemetry.logs import note_access
from service.telemetry.metrics import METRICS
from service.telemetry.request import ObservedRequest, become, id_from, trace_of

LEFT = "499"  # code of a request whose caller left before the answer, as nginx counts it
LEFT_CALL = "CANCELLED"  # the same, of gRPC

# Making the labels of a metric takes longer than counting does.
_requests, _request_seconds = cache(METRICS.requests.labels), cache(METRICS.request_seconds.labels)
_IN_FLIGHT = {name: METRICS.requests_in_flight.labels(name) for name in ("rest", "websocket", "grpc")}


def begun(
    transport: str, route: str, method: str = "", sent_id: str | None = None, traceparent: str | None = None
) -> ObservedRequest:
    """Returns a request that has begun; it becomes that of the present task.

    Args:
        transport: `rest`, `websocket` or `grpc`.
        route: Path of the route, or gRPC's `service/method`.
        method: Of HTTP.
        sent_id: The caller's request id, of any form.
        traceparent: The caller's trace context, of any form.
    """
    request = ObservedRequest(id_from(sent_id), route, transport=transport, method=method)
    if traceparent is not None:
        request.traceparent, request.trace_id = trace_of(traceparent)
    become(request)
    _IN_FLIGHT[transport].inc()
    return request


def ended(request: ObservedRequest, code: str) -> None:
    """Counts a request that has ended, and has its access line written.

    Args:
        request: As `begun` returned it.
        code: HTTP status, or name of gRPC's code.
    """
    seconds = perf_counter() - request.began_s
    _IN_FLIGHT[request.transport].dec()
    _requests(request.transport, request.route, request.model, code).inc()
    _request_seconds(request.transport, request.route).observe(seconds)
    note_access(request, code, seconds)
