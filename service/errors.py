"""Everything that a caller can be told went wrong. `service.status` says what each is on HTTP and gRPC."""

from __future__ import annotations

LONGEST_TEXT = 1000  # characters: what a caller sent may stand in a text, and gRPC's statuses must stay small
LONGEST_QUOTE = 80


class DeepharError(Exception):
    """A problem whose text may be shown to the caller: it says what to do."""

    code = "internal"

    def __init__(self, text: str) -> None:
        super().__init__(text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "...")


def quoted(value: object) -> str:
    """What a caller sent, as it stands in texts: shortened."""
    if isinstance(value, list | dict):  # of any depth and size
        return "a list" if isinstance(value, list) else "an object"
    text = repr(value[: LONGEST_QUOTE + 1] if isinstance(value, str) else value)
    return text if len(text) <= LONGEST_QUOTE + 2 else text[:LONGEST_QUOTE] + "..."


class InvalidArgument(DeepharError):
    code = "invalid_argument"


class InvalidImage(DeepharError):
    code = "invalid_image"


class InvalidVideo(DeepharError):
    code = "invalid_video"


class UnsupportedMediaType(DeepharError):
    code = "unsupported_media_type"


class PayloadTooLarge(DeepharError):
    code = "payload_too_large"


class HeadersTooLarge(DeepharError):
    code = "headers_too_large"


class RequestTimeout(DeepharError):
    """The caller sent too slowly."""

    code = "request_timeout"


class UnknownModel(DeepharError):
    code = "unknown_model"


class Overloaded(DeepharError):
    code = "overloaded"
    retry_after_s = 1


class Unavailable(DeepharError):
    code = "unavailable"


class DeadlineExceeded(DeepharError):
    code = "deadline_exceeded"
