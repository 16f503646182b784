"""Handlers of all calls: bytes to messages, errors to a status."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import cache
from typing import Any, NoReturn, TypeAlias, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from service.errors import DeepharError, InvalidArgument, RequestTimeout
from service.settings import Settings
from service.status import INTERNAL_DETAIL, STATUS
from service.telemetry.request import request_id

log = logging.getLogger(__name__)

Context: TypeAlias = Any  # grpc.aio.ServicerContext: grpc has no types
Handler: TypeAlias = Any  # grpc.RpcMethodHandler
M = TypeVar("M", bound=Message)


async def fail(context: Context, error: BaseException) -> NoReturn:
    """Aborts a call with the status of an error; the cause of an unforeseen one is logged only.

    Args:
        context: The call.
        error: One of the service's own errors, or any other.
    """
    if isinstance(error, DeepharError):
        code, detail = error.code, str(error)
    else:
        log.error("a call failed", exc_info=error)
        code, detail = "internal", INTERNAL_DETAIL
    await context.abort(STATUS[code].grpc, detail, (("deephar-code", code), ("x-request-id", request_id())))
    raise AssertionError("abort does not return")


def parsed(kind: type[M], data: bytes, max_fields: int) -> M:
    """Returns the message of a type in serialized bytes.

    Args:
        kind: The type.
        data: The bytes.
        max_fields: Most fields that the message may have.

    Raises:
        InvalidArgument: The bytes are no such message, or hold too many fields.
    """
    if _fields(data, 0, len(data), _with_lists(kind.DESCRIPTOR), max_fields) > max_fields:
        raise InvalidArgument(f"the message has over {max_fields} fields; send fewer")
    try:
        return kind.FromString(data)
    except DecodeError:
        raise InvalidArgument(
            f"the bytes are no message {kind.DESCRIPTOR.full_name}; use the service's proto"
        ) from None


@cache
def _with_lists(descriptor: Any) -> frozenset[int]:
    """Returns the numbers of the fields whose messages have lists of messages in turn, as a frame has boxes."""
    return frozenset(
        field.number
        for field in descriptor.fields
        if field.message_type is not None
        and any(inner.is_repeated and inner.message_type is not None for inner in field.message_type.fields)
    )


def _fields(data: bytes, place: int, end: int, with_lists: frozenset[int], most: int) -> int:
    """Returns the number of fields of a message on the wire, without checking that the bytes are a message.

    It is limited since an empty box takes two bytes on the wire and a hundred in memory.

    Args:
        data: Has the message in it.
        place: Where it begins.
        end: Where it ends.
        with_lists: Numbers of its fields whose own fields are counted as well.
        most: Where counting ends.
    """
    count = 0
    while place < end and count <= most:
        tag, place = _number(data, place)
        match tag & 7:
            case 0:
                _, place = _number(data, place)
            case 1:
                place += 8
            case 2:
                length, place = _number(data, place)
                if tag >> 3 in with_lists:
                    count += _fields(data, place, min(place + length, end), frozenset(), most)
                place += length
            case 5:
                place += 4
        count += 1
    return count


def _number(data: bytes, place: int) -> tuple[int, int]:
    """Returns a varint and the position after it."""
    value = 0
    for shift, byte in enumerate(data[place : place + 10]):
        value |= (byte & 127) << 7 * shift
        if byte < 128:
            return value, place + shift + 1
    return value, place + 10


class Requests(AsyncIterator[M]):
    """The request messages of a call, parsed as they are awaited."""

    def __init__(self, kind: type[M], received: AsyncIterator[bytes], max_fields: int) -> None:
        self._kind, self._received, self._max_fields = kind, received, max_fields

    async def __anext__(self) -> M:
        return parsed(self._kind, await anext(self._received), self._max_fields)

    async def within(self, seconds: float, what: str) -> M | None:
        """Returns the next message, or None after the last.

        Args:
            seconds: Time limit.
            what: Name of the message, for the error's text.

        Raises:
            RequestTimeout: No message came in time.
            InvalidArgument: The bytes are no such message.
        """
        try:
            async with asyncio.timeout(seconds):
                return await anext(self, None)
        except TimeoutError:
            raise RequestTimeout(f"no {what} came within {seconds:g} s; send it sooner") from None


def answering(
    kind: type[M],
    answer: Callable[[Requests[M], Context], Awaitable[Message]],
    answer_kind: type[Message],
    settings: Settings,
) -> Handler:
    """Returns the handler of a method with one answer.

    It is a client-streaming handler even where the method takes a single request: so the request is read only when the
    method awaits it, after admission.

    Args:
        kind: Type of the requests.
        answer: The method.
        answer_kind: Type of the answer.
        settings: The limits.
    """

    async def behave(received: AsyncIterator[bytes], context: Context) -> Message:
        try:
            return await answer(Requests(kind, received, settings.max_message_fields), context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            await fail(context, error)

    return grpc.stream_unary_rpc_method_handler(behave, None, answer_kind.SerializeToString)


def streaming(
    kind: type[M],
    answers: Callable[[Requests[M], Context], AsyncGenerator[Message, None]],
    answer_kind: type[Message],
    settings: Settings,
) -> Handler:
    """Returns the handler of a method with a stream of answers.

    Args:
        kind: Type of the requests.
        answers: The method.
        answer_kind: Type of the answers.
        settings: The limits. A caller that does not read an answer in time loses the call.
    """
    write_timeout_s = settings.write_timeout_s

    async def behave(received: AsyncIterator[bytes], context: Context) -> None:
        try:
            async with aclosing(answers(Requests(kind, received, settings.max_message_fields), context)) as messages:
                async for answer in messages:
                    await write(answer, context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            await fail(context, error)

    async def write(answer: Message, context: Context) -> None:
        try:
            async with asyncio.timeout(write_timeout_s):
                await context.write(answer)
        except TimeoutError:
            raise RequestTimeout(f"no answer was read for {write_timeout_s:g} s; read them as they come") from None

    return grpc.stream_stream_rpc_method_handler(behave, None, answer_kind.SerializeToString)
