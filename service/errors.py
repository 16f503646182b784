"""The errors that callers get. `service.status` maps each to HTTP and gRPC."""

from __future__ import annotations

LONGEST_TEXT = 1000  # characters: texts may quote the request, and gRPC's statuses must stay small
LONGEST_QUOTE = 80  # characters of a quoted value


class DeepharError(Exception):
    """An error whose text is shown to the caller, and says what to do. `code` is stable."""

    code = "internal"
    retry_after_s: int | None = None  # where trying again helps

    def __init__(self, text: str) -> None:
        super().__init__(text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "...")


def quoted(value: object) -> str:
    """Returns a value of a request as an error's text quotes it: shortened."""
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


class NotAcceptable(DeepharError):
    code = "not_acceptable"


class PayloadTooLarge(DeepharError):
    code = "payload_too_large"


class HeadersTooLarge(DeepharError):
    code = "headers_too_large"


class RequestTimeout(DeepharError):
    """The request was sent, or its answer read, too slowly."""

    code = "request_timeout"


class Unauthenticated(DeepharError):
    """The caller has no key or token, or one that is not taken."""

    code = "unauthenticated"


class PermissionDenied(DeepharError):
    code = "permission_denied"


class UnknownModel(DeepharError):
    code = "unknown_model"


class Overloaded(DeepharError):
    code = "overloaded"
    retry_after_s = 1


class Unavailable(DeepharError):
    code = "unavailable"
    retry_after_s = 2


class DeadlineExceeded(DeepharError):
    code = "deadline_exceeded"


class UnusableFile(Exception):
    """A file that a setting names cannot be read or understood; the text is for the operator."""
