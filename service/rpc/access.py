"""Keys, tokens and the limits of each caller, around the handlers of gRPC calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from typing import Any

import grpc

from service.access.access import Access, Credentials
from service.access.limits import Kind
from service.errors import DeepharError
from service.rpc.calls import Context, Handler, fail

KINDS: Mapping[str, Kind] = {"EstimatePose": "request", "ClassifyClip": "stream", "StreamVideo": "stream"}


def guarded(handler: Handler, access: Access, kind: Kind | None) -> Handler:
    """Returns a handler that lets callers in by their key or token, before anything of their requests is read.

    Args:
        handler: Of a method, from `answering` or `streaming`.
        access: Who may come in.
        kind: What a call counts as; None: it has no limits of the caller.
    """
    if access.is_open:
        return handler
    behave = handler.stream_stream if handler.response_streaming else handler.stream_unary

    async def guarded_behaviour(received: AsyncIterator[bytes], context: Context) -> Any:
        with ExitStack() as work:
            try:
                caller = await access.authenticate(_credentials(context))
                if kind is not None:
                    work.enter_context(caller.enter(kind))
            except DeepharError as error:
                await fail(context, error)
            return await behave(received, context)

    make = grpc.stream_stream_rpc_method_handler if handler.response_streaming else grpc.stream_unary_rpc_method_handler
    return make(guarded_behaviour, handler.request_deserializer, handler.response_serializer)


def _credentials(context: Context) -> Credentials:
    sent = {name: value for name, value in context.invocation_metadata() if isinstance(value, str)}
    return Credentials(sent.get("authorization"), sent.get("x-api-key"))
