"""Asks a service for one video of a batch, and writes what it answers. Each video is sent once."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from deephar import AsyncClient, Frame
from deephar.bulk.engine import UnreadableInput
from deephar.bulk.inputs import Input
from deephar.bulk.options import BatchOptions
from deephar.bulk.output_folder import ANNOTATED, OutputFolder
from deephar.bulk.results import line_of
from deephar.bulk.summary import TOP_K, Summary
from deephar.clip import Clip
from deephar.errors import Internal, UnknownModel
from deephar.events import ActionEvent, Event, Started, event_from_dict
from deephar.options import VideoOptions
from deephar.results import ActionsAnswer, Json
from deephar.video import NotAVideo, frames_of

if TYPE_CHECKING:
    from deephar.bulk.upload import Upload

_LONGEST_S = 6 * 3600.0  # of a video that only its answer is wanted of
_EVENT_TIMEOUT_S = 120.0

T = TypeVar("T")


class VideoAsking:
    """Asks for videos over a client of the service.

    Where events are kept or drawn, they and the answer are of one stream over gRPC, or of one upload to REST.

    Args:
        client: Of the service.
        upload: To REST, where that is asked.
        options: Of the batch.
        asked: Of the calls.
        output: Where the results go.
        threads: For files, and for drawing.
    """

    def __init__(
        self,
        client: AsyncClient,
        upload: Upload | None,
        options: BatchOptions,
        asked: dict[str, Any],
        output: OutputFolder,
        threads: ThreadPoolExecutor,
    ) -> None:
        self._client, self._options, self._asked, self._output = client, options, asked, output
        self._upload, self._threads = upload, threads
        self._labels: int | None = None  # of the model that answers
        self._looking = asyncio.Lock()

    async def ask(self, input: Input) -> None:
        """Asks for a video and writes its result, and the drawn video before it.

        Raises:
            UnreadableInput: It cannot be read, or is no video.
            DeepharError: The service has no answer.
            OSError: The result cannot be written.
        """
        await self._in_thread(lambda: check_readable(input.path))
        with self._output.unfinished() as unfinished:
            with open(unfinished, "wb") as lines:  # noqa: ASYNC230 - lines are buffered
                if self._options.events or self._options.annotated:
                    answer = await self._with_events(input, lines)
                else:
                    answer = await self._classified(input)
                if self._options.annotated:
                    lines.flush()
                    await self._draw(input, unfinished)
                if not self._options.events:
                    lines.seek(0)
                    lines.truncate()
                lines.write(line_of(input.id, {"event": "answer", **answer.to_dict()}))
                lines.flush()
                await self._in_thread(lambda: os.fsync(lines.fileno()))
            self._output.finish(unfinished, self._output.result_of(input.id))

    async def _classified(self, input: Input) -> ActionsAnswer:
        try:
            return await self._client.classify(input.path, timeout_s=_LONGEST_S, **self._asked)
        except (NotAVideo, OSError) as error:
            raise _unreadable(error) from error

    async def _with_events(self, input: Input, lines: BinaryIO) -> ActionsAnswer:
        """Writes the events of a video, and returns its answer."""
        if self._upload is None:
            return await self._streamed(input, lines)
        lines.write(line_of(input.id, (await self._started()).to_dict()))
        answer: Json = {}
        async for answer in self._upload.lines(input.path, VideoOptions(**self._asked)):
            if answer["event"] != "answer":
                lines.write(line_of(input.id, answer))
        return ActionsAnswer.from_dict(answer)

    async def _streamed(self, input: Input, lines: BinaryIO) -> ActionsAnswer:
        """As `_with_events`, over a stream: its events name all actions, and are summed up to the answer."""
        clip = Clip(await self._in_thread(lambda: _opened(input.path)))
        wanted = self._asked["top_k"]
        asked = self._asked | {"top_k": max(wanted, await self._number_of_labels())}
        summary = Summary(wanted)
        async for event in self._client.stream(_frames(clip), event_timeout_s=_EVENT_TIMEOUT_S, **asked):
            summary.add(event)
            if isinstance(event, ActionEvent):
                event = replace(event, actions=event.actions[: wanted or TOP_K])
            lines.write(line_of(input.id, event.to_dict()))
        return summary.answer(clip.facts())

    async def _number_of_labels(self) -> int:
        """Returns how many actions the model knows that answers."""
        async with self._looking:
            if self._labels is None:
                name = (await self._started()).model
                known = {model.name: model for model in await self._client.models()}
                if name not in known:
                    raise UnknownModel("unknown_model", f"the model {name} went away; try again")
                self._labels = len(known[name].actions)
        return self._labels

    async def _started(self) -> Started:
        """Returns what the service chooses for these options: it says so before any frame."""
        async with aclosing(self._client.stream(_no_frames(), **self._asked)) as events:
            async for event in events:
                if isinstance(event, Started):
                    return event
        raise Internal("internal", "the stream ended without a first event")

    async def _draw(self, input: Input, lines: str) -> None:
        """Writes the video with what the lines say drawn in."""
        dropped, with_ids = threading.Event(), self._asked["people"] == "all"
        with self._output.unfinished() as unfinished:
            try:
                is_there = await self._in_thread(lambda: draw(input.path, lines, unfinished, with_ids, dropped))
            finally:
                dropped.set()
            if is_there:
                self._output.finish(unfinished, self._output.product_of(input.id, ANNOTATED, ".mp4"))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def draw(video: str, lines: str, target: str, with_ids: bool, dropped: threading.Event) -> bool:
    """Writes a video with people and actions drawn in, durably, and returns whether it has any frame.

    Needs the extras `video` and `draw`.

    Args:
        video: The file.
        lines: File of the events of its stream.
        target: Of the new file.
        with_ids: Whether captions begin with the person's id.
        dropped: Is set where nobody wants it any more.
    """
    from deephar.drawn_video import annotated
    from deephar.recording import Recording

    recording = Recording(target, audio_from=video)
    try:
        for picture, time_s in annotated(video, _events_in(lines), with_ids):
            if dropped.is_set():
                break
            recording.write(picture, time_s)
    finally:
        is_there = recording.finish()
    if is_there:
        with open(target, "rb") as file:
            os.fsync(file.fileno())
    return is_there


def check_readable(path: str) -> None:
    """Raises `UnreadableInput` where a file cannot be opened."""
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        raise _unreadable(error) from error


def _opened(path: str) -> Iterator[Frame]:
    try:
        return frames_of(path).open()
    except (NotAVideo, OSError) as error:
        raise _unreadable(error) from error


def _frames(clip: Clip) -> Iterator[Any]:
    try:
        yield from clip
    except (NotAVideo, OSError) as error:
        raise _unreadable(error) from error


async def _no_frames() -> AsyncIterator[Frame]:
    return
    yield


def _events_in(lines: str) -> Iterator[Event]:
    with open(lines, "rb") as file:
        for line in file:
            event = event_from_dict(json.loads(line))
            if event is not None:
                yield event


def _unreadable(error: Exception) -> UnreadableInput:
    return UnreadableInput((error.strerror if isinstance(error, OSError) else None) or str(error))
