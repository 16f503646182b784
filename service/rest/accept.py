"""Content negotiation by the header `Accept`."""

from __future__ import annotations

from starlette.requests import Request

_MOST = 20  # media types of the header that are read


def accepted(request: Request, offered: tuple[str, ...]) -> str:
    """Returns the media type of the answer.

    Args:
        request: Its header `Accept` is read in order; quality values are ignored.
        offered: The media types that there are; the first is the default.
    """
    for part in request.headers.get("accept", "").split(",")[:_MOST]:
        asked = part.split(";")[0].strip().lower()
        for media_type in offered:
            if asked in (media_type, "*/*", media_type.split("/")[0] + "/*"):
                return media_type
    return offered[0]
