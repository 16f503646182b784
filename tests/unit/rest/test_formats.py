"""Documents that are sent as they are made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message

from service.errors import DeepharError, InvalidVideo
from service.rest.formats import Document


async def sent(error: Exception | None) -> list[Message]:
    """The messages of a document of two pieces, and an error after them."""

    async def pieces() -> AsyncIterator[str]:
        yield "one"
        yield "two"
        if error is not None:
            raise error

    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    await Document(pieces(), media_type="text/csv")({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
    return messages


@pytest.mark.parametrize("error", [InvalidVideo("damaged"), DeepharError("busy"), RuntimeError("a bug")])
def test_a_document_that_fails_half_way_has_no_end(error: Exception) -> None:
    *_, last = asyncio.run(sent(error))
    assert (last["body"], last["more_body"]) == (b"two", True)


def test_a_whole_document_has_an_end() -> None:
    start, *pieces = asyncio.run(sent(None))
    assert start["headers"] == [(b"content-type", b"text/csv; charset=utf-8")]
    assert [piece["more_body"] for piece in pieces] == [True, True, False]
