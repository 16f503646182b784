"""Which of the offered media types a caller wants."""

from __future__ import annotations

from starlette.requests import Request

_MOST = 20  # types of the header that are looked at


def accepted(request: Request, offered: tuple[str, ...]) -> str:
    """The first offered type that the caller names; the first of all where none is named or anything will do."""
    for part in request.headers.get("accept", "").split(",")[:_MOST]:
        wanted = part.split(";")[0].strip().lower()
        for media_type in offered:
            if wanted in (media_type, "*/*", media_type.split("/")[0] + "/*"):
                return media_type
    return offered[0]
