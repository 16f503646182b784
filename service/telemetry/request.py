"""What is known of a request while it runs, for its access line and the metrics.

It stands in a context variable, as urgency does: those who learn something of a request lie far below its transport.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class ObservedRequest:
    """One request of REST, one WebSocket or one gRPC call.

    Attributes:
        id: From the caller's `X-Request-ID`, or made.
        route: Path of the route, or gRPC's `service/method`; never what the caller made up.
        caller: Name of the caller's key, or subject of the token; empty where none is needed.
        model: Name of the model that answers.
    """

    id: str
    route: str
    caller: str = ""
    model: str = ""


_present: ContextVar[ObservedRequest | None] = ContextVar("request", default=None)


def observed() -> ObservedRequest | None:
    """Returns the request that the present task works on; None outside of any."""
    return _present.get()
