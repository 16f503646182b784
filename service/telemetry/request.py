"""What is known of a request while it runs, for its access line and the metrics.

It stands in a context variable, as urgency does: those who learn something of a request lie far below its transport.
"""

from __future__ import annotations

import os
import re
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter

LONGEST_ID = 128
OTHER_ROUTE = "other"
_ID = re.compile(rf"[ -~]{{1,{LONGEST_ID}}}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-[ -~]*)?", re.ASCII)
_NO_TRACE = "0" * 32


@dataclass(slots=True)
class ObservedRequest:
    """One request of REST, one WebSocket or one gRPC call.

    Attributes:
        id: From the caller's `X-Request-ID`, or made.
        route: Path of the route, or gRPC's `service/method`; never what the caller made up.
        caller: Name of the caller's key, or subject of the token; empty where none is needed.
        model: Name of the model that answers.
        transport: `rest`, `websocket` or `grpc`.
        method: Of HTTP.
        traceparent: W3C trace context that the caller sent, if it is valid.
        trace_id: Of that, or of the service's own trace.
        bytes_in: Of the body, or of all messages, that were received.
        bytes_out: Of the answer.
        cut_off: Status of the error that ended an answer after it had begun; empty where none did.
        began_s: By `time.perf_counter`.
    """

    id: str
    route: str
    caller: str = ""
    model: str = ""
    transport: str = ""
    method: str = ""
    traceparent: str = ""
    trace_id: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    cut_off: str = ""
    began_s: float = field(default_factory=perf_counter)


_present: ContextVar[ObservedRequest | None] = ContextVar("request", default=None)


def observed() -> ObservedRequest | None:
    """Returns the request that the present task works on; None outside of any."""
    return _present.get()


def become(request: ObservedRequest | None) -> None:
    """Sets the request of the present task, and of the tasks that it begins."""
    _present.set(request)


def request_id() -> str:
    """Returns the id of the present task's request; empty outside of any."""
    request = _present.get()
    return "" if request is None else request.id


def id_from(sent: str | None) -> str:
    """Returns the id that a caller sent, if it can stand in a header and in a log, or one that is made."""
    return sent if sent is not None and _ID.fullmatch(sent) else os.urandom(8).hex()


def trace_of(traceparent: str | None) -> tuple[str, str]:
    """Returns a W3C `traceparent` and its trace id; empty ones where it is not valid."""
    read = _TRACEPARENT.fullmatch(traceparent) if traceparent and len(traceparent) <= LONGEST_ID else None
    if read is None or read[1] == _NO_TRACE:
        return "", ""
    return read[0], read[1]
