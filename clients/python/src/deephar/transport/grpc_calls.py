"""What the synchronous and the asynchronous transport over gRPC share: channel, metadata, errors."""

from __future__ import annotations

from typing import Any

import grpc

from deephar.address import Address
from deephar.errors import DeepharError
from deephar.messages import event_of
from deephar.transport import Connecting, Message
from deephar.transport.unreachable import unreachable
from deephar.v1 import inference_pb2 as pb

OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A lost service is looked for often: streams wait for it.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # A machine that vanished says nothing; the service allows a ping every 5 s.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]
_CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: "invalid_argument",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "payload_too_large",
    grpc.StatusCode.DEADLINE_EXCEEDED: "deadline_exceeded",
    grpc.StatusCode.UNAUTHENTICATED: "unauthenticated",
    grpc.StatusCode.PERMISSION_DENIED: "permission_denied",
    grpc.StatusCode.INTERNAL: "internal",
}
# The connection broke; a service that fails says so with its own code.
_LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED)


def credentials_of(address: Address, connecting: Connecting) -> Any:
    """Returns what TLS needs; None without it."""
    if connecting.credentials is not None or not address.is_encrypted:
        return connecting.credentials
    return grpc.ssl_channel_credentials(connecting.ca)


def metadata_of(connecting: Connecting) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {connecting.api_key}"),) if connecting.api_key else ()


def error_of(error: Any, address: Address, in_stream: bool = False) -> DeepharError:
    """Returns the error of a call, by the service's stable code.

    Args:
        error: gRPC's: a `grpc.RpcError` that is a call, or a `grpc.aio.AioRpcError`.
        address: Of the service.
        in_stream: Whether it ended a stream, which a lost connection does in several ways.
    """
    metadata = dict(error.trailing_metadata() or ())
    status, detail = error.code(), error.details() or ""
    retry_after_s = metadata.get("retry-after")
    if code := metadata.get("deephar-code"):
        return DeepharError.of(str(code), detail, None if retry_after_s is None else float(retry_after_s))
    if status is grpc.StatusCode.UNAVAILABLE or (in_stream and status in _LOST):
        return unreachable(address, detail)
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        detail = "the answer was not there in time; allow more by timeout_s"
    return DeepharError.of(_CODES.get(status, status.name.lower()), detail)


def message_of(response: pb.StreamVideoResponse) -> Message:
    return Message(event_of(response), response.received_frames, response.credits)
