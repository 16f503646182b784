"""Everything that a caller can be told went wrong, and the one table of what that is on each transport."""

from __future__ import annotations

from typing import NamedTuple

import grpc

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


class Status(NamedTuple):
    http: int
    grpc: grpc.StatusCode
    title: str


STATUS: dict[str, Status] = {
    "invalid_argument": Status(422, grpc.StatusCode.INVALID_ARGUMENT, "An option of the request is not valid"),
    "invalid_image": Status(422, grpc.StatusCode.INVALID_ARGUMENT, "The picture cannot be read"),
    "invalid_video": Status(422, grpc.StatusCode.INVALID_ARGUMENT, "The video cannot be read"),
    "unsupported_media_type": Status(415, grpc.StatusCode.INVALID_ARGUMENT, "This kind of file is not supported"),
    "payload_too_large": Status(413, grpc.StatusCode.RESOURCE_EXHAUSTED, "The payload is too large"),
    "headers_too_large": Status(431, grpc.StatusCode.RESOURCE_EXHAUSTED, "The request's headers are too large"),
    "request_timeout": Status(408, grpc.StatusCode.DEADLINE_EXCEEDED, "The request was sent too slowly"),
    "unknown_model": Status(404, grpc.StatusCode.NOT_FOUND, "There is no model of this name"),
    "overloaded": Status(429, grpc.StatusCode.RESOURCE_EXHAUSTED, "The service is busy"),
    "unavailable": Status(503, grpc.StatusCode.UNAVAILABLE, "The model cannot be reached at present"),
    "deadline_exceeded": Status(504, grpc.StatusCode.DEADLINE_EXCEEDED, "The model did not answer in time"),
    "internal": Status(500, grpc.StatusCode.INTERNAL, "Something went wrong inside the service"),
}

INTERNAL_DETAIL = "The service failed on this request. The cause is in its log; please report it if it happens again."
