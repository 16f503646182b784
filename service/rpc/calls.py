"""One way in and out of every call: bytes to messages, errors to a status, once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, TypeAlias, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from service.errors import INTERNAL_DETAIL, STATUS, DeepharError, InvalidArgument, RequestTimeout

log = logging.getLogger(__name__)

Context: TypeAlias = Any  # grpc.aio.ServicerContext: grpc has no types
Handler: TypeAlias = Any  # grpc.RpcMethodHandler
M = TypeVar("M", bound=Message)


async def fail(context: Context, error: BaseException) -> NoReturn:
    """Ends the call with the status of the error; of an unforeseen one the caller learns nothing but that."""
    if isinstance(error, DeepharError):
        code, detail = error.code, str(error)
    else:
        log.error("a call failed", exc_info=error)
        code, detail = "internal", INTERNAL_DETAIL
    await context.abort(STATUS[code].grpc, detail, (("deephar-code", code),))
    raise AssertionError("abort does not return")


def parsed(kind: type[M], data: bytes) -> M:
    try:
        return kind.FromString(data)
    except DecodeError:
        raise InvalidArgument(
            f"the bytes are no message {kind.DESCRIPTOR.full_name}; use the service's proto"
        ) from None


class Requests(AsyncIterator[M]):
    """The messages of a call, read when they are asked for, with a limit on the wait for the next one."""

    def __init__(self, kind: type[M], received: AsyncIterator[bytes]) -> None:
        self._kind, self._received = kind, received

    async def __anext__(self) -> M:
        return parsed(self._kind, await anext(self._received))

    async def within(self, seconds: float, what: str) -> M | None:
        """The next message, or None after the last. Raises `RequestTimeout`."""
        try:
            async with asyncio.timeout(seconds):
                return await anext(self, None)
        except TimeoutError:
            raise RequestTimeout(f"no {what} came within {seconds:g} s") from None


def answering(
    kind: type[M], answer: Callable[[Requests[M], Context], Awaitable[Message]], answer_kind: type[Message]
) -> Handler:
    """A method with one answer. Its request, even a single one, is not read before the method asks for it."""

    async def behave(received: AsyncIterator[bytes], context: Context) -> Message:
        try:
            return await answer(Requests(kind, received), context)
        except Exception as error:
            await fail(context, error)

    return grpc.stream_unary_rpc_method_handler(behave, None, answer_kind.SerializeToString)


def streaming(
    kind: type[M], answers: Callable[[Requests[M], Context], AsyncIterator[Message]], answer_kind: type[Message]
) -> Handler:
    """A method with many answers."""

    async def behave(received: AsyncIterator[bytes], context: Context) -> AsyncIterator[Message]:
        try:
            async for answer in answers(Requests(kind, received), context):
                yield answer
        except Exception as error:
            await fail(context, error)

    return grpc.stream_stream_rpc_method_handler(behave, None, answer_kind.SerializeToString)


class Checked(grpc.aio.ServerInterceptor):
    """Bytes that are no message are told as such by services that are not ours, too: health and reflection."""

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Handler]], details: Any) -> Handler:
        handler = await continuation(details)
        if handler is None or handler.request_deserializer is None:
            return handler
        read = handler.request_deserializer

        def message(data: bytes) -> Message:
            try:
                return read(data)
            except DecodeError:
                raise InvalidArgument("the bytes are no message of this call; use its proto") from None

        async def messages(received: AsyncIterator[bytes]) -> AsyncIterator[Message]:
            async for data in received:
                yield message(data)

        async def check(data: bytes, context: Context) -> Message:
            try:
                request = message(data)
            except InvalidArgument as error:
                await fail(context, error)
            return await handler.unary_unary(request, context)

        async def watch(data: bytes, context: Context) -> None:
            try:
                request = message(data)
            except InvalidArgument as error:
                await fail(context, error)
            await handler.unary_stream(request, context)

        async def reflect(received: AsyncIterator[bytes], context: Context) -> AsyncIterator[Message]:
            try:
                async for answer in handler.stream_stream(messages(received), context):
                    yield answer
            except InvalidArgument as error:
                await fail(context, error)

        behaviour = {"unary_unary": check, "unary_stream": watch, "stream_stream": reflect}
        wrapped = {kind: new for kind, new in behaviour.items() if getattr(handler, kind) is not None}
        return handler._replace(request_deserializer=None, **wrapped)
