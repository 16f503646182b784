"""The time within which a request is to be answered, counted from its arrival."""

from __future__ import annotations

import re

from starlette.requests import Request

from service.errors import InvalidArgument, quoted

HEADER = "x-request-timeout"
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(ms|s|)")


def due_s(request: Request, deadline_ms: float | None) -> float | None:
    """Returns when the answer is due, by `time.monotonic`; None: there is no limit.

    Args:
        request: May have the header `X-Request-Timeout`: seconds, or a number with `ms` or `s`.
        deadline_ms: The option. Of both, the shorter time holds.

    Raises:
        InvalidArgument: The header cannot be understood.
    """
    limits_s = [] if deadline_ms is None else [deadline_ms / 1e3]
    header = request.headers.get(HEADER)
    if header is not None:
        read = _DURATION.fullmatch(header.strip())
        if read is None or float(read[1]) == 0:
            raise InvalidArgument(f"X-Request-Timeout must be seconds, as 2.5, or 2500ms, not {quoted(header)}")
        limits_s.append(float(read[1]) / (1e3 if read[2] == "ms" else 1))
    arrived_s: float = request.state.arrived_s
    return arrived_s + min(limits_s) if limits_s else None
