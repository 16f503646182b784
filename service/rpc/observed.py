"""A handler around another: the id, the count, the access line and the span of each call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from opentelemetry.trace import StatusCode

from service.rpc.calls import Context, Handler
from service.telemetry.observation import LEFT_CALL, begun, ended
from service.telemetry.request import ObservedRequest, observed
from service.telemetry.traces import TRACES

METADATA = "x-request-id"
_TRACEPARENT = "traceparent"
# Codes that are the service's fault, by OpenTelemetry's conventions.
_FAULTS = frozenset(("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"))


def observing(method: str, handler: Handler) -> Handler:
    """Returns the handler of a method, observed.

    Args:
        method: Its full name, as `deephar.v1.InferenceService/EstimatePose`.
        handler: As `calls.answering` or `calls.streaming` makes it, or around one.
    """

    def serialized(message: Any) -> bytes:
        data: bytes = handler.response_serializer(message)
        if (request := observed()) is not None:
            request.bytes_out += len(data)
        return data

    async def one(received: AsyncIterator[bytes], context: Context) -> bytes:
        # Serialized here, and not by gRPC afterwards: the request has ended then.
        return serialized(await handler.stream_unary(received, context))

    behave = handler.stream_stream if handler.response_streaming else one

    async def observe(received: AsyncIterator[bytes], context: Context) -> Any:
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        request = begun("grpc", method, "", metadata.get(METADATA), metadata.get(_TRACEPARENT))
        context.set_trailing_metadata(((METADATA, request.id),))
        code = "UNKNOWN"
        with TRACES.of_call(method, metadata) as span:
            try:
                answer = await behave(_Counted(received, request), context)
                code = _code_of(context, "OK")
            except asyncio.CancelledError:
                code = LEFT_CALL
                raise
            except BaseException:
                code = _code_of(context, code)
                raise
            finally:
                if span is not None:
                    span.set_attribute("rpc.response.status_code", code)
                    if code in _FAULTS:
                        span.set_status(StatusCode.ERROR)
                ended(request, code)
        return answer

    if handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler(observe, handler.request_deserializer, serialized)
    return grpc.stream_unary_rpc_method_handler(observe, handler.request_deserializer, None)


class _Counted(AsyncIterator[bytes]):
    """The messages of a call, whose bytes are counted."""

    def __init__(self, received: AsyncIterator[bytes], request: ObservedRequest) -> None:
        self._received, self._request = received, request

    async def __anext__(self) -> bytes:
        data = await anext(self._received)
        self._request.bytes_in += len(data)
        return data


def _code_of(context: Context, otherwise: str) -> str:
    """Returns the name of a call's code; `otherwise`, where none was set."""
    if context.cancelled():  # by the caller, whatever became of the call here
        return LEFT_CALL
    code = context.code()
    if not isinstance(code, grpc.StatusCode):
        code = next((known for known in grpc.StatusCode if known.value[0] == code), None)
    return otherwise if code is None or code is grpc.StatusCode.OK else str(code.name)
