"""Content negotiation by the header `Accept` (RFC 9110, 12.5.1)."""

from __future__ import annotations

from starlette.requests import Request

from service.errors import NotAcceptable

_MOST = 50  # media ranges of the header that are read


def accepted(request: Request, offered: tuple[str, ...]) -> str:
    """Returns the media type of the answer.

    Args:
        request: Without the header `Accept`, or with an empty one, the first type is meant.
        offered: The media types that there are, the best first.

    Raises:
        NotAcceptable: The caller takes none of them.
    """
    header = ",".join(request.headers.getlist("accept"))
    ranges = dict(_range(part) for part in header.split(",")[:_MOST] if part.strip())
    if not ranges:
        return offered[0]
    best = max(offered, key=lambda media_type: _quality(media_type, ranges))
    if _quality(best, ranges) <= 0:
        raise NotAcceptable(f"none of the types in Accept can be answered here; ask for {' or '.join(offered)}")
    return best


async def takes_json(request: Request) -> None:
    """Raises `NotAcceptable` where the caller takes no JSON: of routes that answer nothing else."""
    accepted(request, ("application/json",))


def _range(part: str) -> tuple[str, float]:
    """Returns a media range and its quality; one that cannot be read is 1, as none is."""
    name, *parameters = (field.strip().lower() for field in part.split(";"))
    name = "*/*" if name == "*" else name  # as old Java sends it
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, min(max(float(value), 0.0), 1.0)
            except ValueError:
                return name, 1.0
    return name, 1.0


def _quality(media_type: str, ranges: dict[str, float]) -> float:
    """Returns the quality by the most specific range that the type is in."""
    for name in (media_type, media_type.split("/", maxsplit=1)[0] + "/*", "*/*"):
        if name in ranges:
            return ranges[name]
    return 0.0
