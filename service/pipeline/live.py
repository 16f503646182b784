"""A live stream: what is received goes through a bounded queue to the pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from service.errors import RequestTimeout, Unavailable
from service.pipeline.options import StreamOptions
from service.pipeline.pipeline import Pipeline
from service.pipeline.stream import Stream
from service.stopping import STOPPING
from service.video.inbox import Inbox


class Live(NamedTuple):
    stream: Stream
    inbox: Inbox


@asynccontextmanager
async def live(
    pipeline: Pipeline,
    options: StreamOptions,
    receive: Callable[[Inbox], Awaitable[None]],
    ends: asyncio.Event,
    is_live: bool = True,
) -> AsyncIterator[Live]:
    """Yields a stream and its queue, which is filled in the background until the context ends.

    Args:
        pipeline: The use cases.
        options: The options of the stream.
        receive: Fills the queue, and returns after the last frame. What it raises ends the stream; a `RequestTimeout`
            after everything is answered.
        ends: Ends the stream as if the sender had ended it: the service stops.
        is_live: Whether a frame that cannot be used is an event, and not the end.

    Raises:
        InvalidArgument, UnknownModel, Unavailable: The options do not fit, or the model is not there.
    """
    settings = pipeline.settings
    inbox = Inbox(settings.stream_queue_frames, settings.stream_queue_bytes, options.drop_policy, is_live)
    stream = await pipeline.stream(options, inbox, is_live)
    tasks = [asyncio.create_task(_filled(inbox, receive)), asyncio.create_task(_ended_with(inbox, ends))]
    try:
        yield Live(stream, inbox)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _filled(inbox: Inbox, receive: Callable[[Inbox], Awaitable[None]]) -> None:
    try:
        await receive(inbox)
    except RequestTimeout as error:
        await inbox.end(reason=error)
    except Exception as error:
        await inbox.end(error)
    else:
        await inbox.end()


async def _ended_with(inbox: Inbox, ends: asyncio.Event) -> None:
    await ends.wait()
    await inbox.end(reason=Unavailable(STOPPING))
