"""HTTP status, gRPC status and title of each error code."""

from __future__ import annotations

from typing import NamedTuple

import grpc


class Status(NamedTuple):
    http: int
    grpc: grpc.StatusCode
    title: str


STATUS: dict[str, Status] = {
    "invalid_argument": Status(422, grpc.StatusCode.INVALID_ARGUMENT, "An option of the request is not valid"),
    "invalid_image": Status(422, grpc.StatusCode.INVALID_ARGUMENT, "The picture cannot be read"),
    "invalid_video": Status(422, grpc.StatusCode.INVALID_ARGUMENT, "The video cannot be read"),
    "unsupported_media_type": Status(415, grpc.StatusCode.INVALID_ARGUMENT, "This kind of file is not supported"),
    "not_acceptable": Status(406, grpc.StatusCode.INVALID_ARGUMENT, "The answer has none of the types asked for"),
    "payload_too_large": Status(413, grpc.StatusCode.RESOURCE_EXHAUSTED, "The payload is too large"),
    "headers_too_large": Status(431, grpc.StatusCode.RESOURCE_EXHAUSTED, "The request's headers are too large"),
    "request_timeout": Status(408, grpc.StatusCode.DEADLINE_EXCEEDED, "The request was sent too slowly"),
    "unauthenticated": Status(401, grpc.StatusCode.UNAUTHENTICATED, "A key or a token is needed"),
    "permission_denied": Status(403, grpc.StatusCode.PERMISSION_DENIED, "This is not allowed"),
    "unknown_model": Status(404, grpc.StatusCode.NOT_FOUND, "There is no model of this name"),
    "overloaded": Status(429, grpc.StatusCode.RESOURCE_EXHAUSTED, "The service is busy"),
    "unavailable": Status(503, grpc.StatusCode.UNAVAILABLE, "The model cannot be reached at present"),
    "deadline_exceeded": Status(504, grpc.StatusCode.DEADLINE_EXCEEDED, "The model did not answer in time"),
    "internal": Status(500, grpc.StatusCode.INTERNAL, "Something went wrong inside the service"),
}

INTERNAL_DETAIL = "The service failed on this request. The cause is in its log; please report it if it happens again."
