"""The methods of `deephar.v1.InferenceService`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TypeVar

from deephar.v1 import inference_pb2 as pb
from google.protobuf.message import Message

from service.errors import InvalidArgument, RequestTimeout, Unavailable
from service.pipeline.admission import Admission
from service.pipeline.answers import ClipAnswer
from service.pipeline.pipeline import Pipeline
from service.pipeline.stream import Stream
from service.rpc import messages
from service.rpc.calls import Context, Handler, Requests, answering, streaming
from service.stopping import STOPPING, Stopping
from service.video.inbox import Inbox

M = TypeVar("M", bound=Message)
SERVICE = pb.DESCRIPTOR.services_by_name["InferenceService"].full_name
_MOST_LISTS = 256  # concurrent calls of ListModels


class InferenceServicer:
    """Calls the pipeline with the messages of a call, after admission."""

    def __init__(self, pipeline: Pipeline, stopping: Stopping) -> None:
        self._pipeline, self._stopping, self._settings = pipeline, stopping, pipeline.settings
        self._lists = Admission(_MOST_LISTS, "lists")

    def handlers(self) -> dict[str, Handler]:
        return {
            "ListModels": answering(pb.ListModelsRequest, self.list_models, pb.ListModelsResponse),
            "EstimatePose": answering(pb.EstimatePoseRequest, self.estimate_pose, pb.EstimatePoseResponse),
            "ClassifyClip": answering(pb.StreamVideoRequest, self.classify_clip, pb.ClassifyClipResponse),
            "StreamVideo": streaming(
                pb.StreamVideoRequest, self.stream_video, pb.StreamVideoResponse, self._settings.write_timeout_s
            ),
        }

    async def list_models(self, requests: Requests[pb.ListModelsRequest], _: Context) -> pb.ListModelsResponse:
        with self._lists.enter():
            await self._only(requests)
        return pb.ListModelsResponse(models=[messages.model_message(m) for m in self._pipeline.catalogue.all()])

    async def estimate_pose(self, requests: Requests[pb.EstimatePoseRequest], _: Context) -> pb.EstimatePoseResponse:
        with self._pipeline.requests.enter():
            request = await self._only(requests)
            image, options = request.image, messages.picture_options(request, self._settings.max_boxes)
            del request
            with self._pipeline.pixels.hold() as held:
                return messages.pose_message(await self._pipeline.pictures.estimate(image, options, held))

    async def classify_clip(self, requests: Requests[pb.StreamVideoRequest], _: Context) -> pb.ClassifyClipResponse:
        with self._pipeline.streams.enter():
            async with (
                self._opened(requests, ends=self._stopping.over) as (stream, inbox),
                aclosing(stream.classified()) as events,
            ):
                async for event in events:
                    if isinstance(event, ClipAnswer):
                        inbox.raise_reason()
                        return messages.clip_message(event)
        raise RuntimeError("the pipeline ended without an answer")

    async def stream_video(
        self, requests: Requests[pb.StreamVideoRequest], _: Context
    ) -> AsyncGenerator[pb.StreamVideoResponse, None]:
        with self._pipeline.streams.enter():
            async with self._opened(requests, ends=self._stopping.begun) as (stream, inbox):
                async with aclosing(stream.events()) as events:
                    async for event in events:
                        yield messages.event_message(event)
                inbox.raise_reason()

    async def _only(self, requests: Requests[M]) -> M:
        """Returns the request of a call with a single one."""
        self._stopping.refuse_if_begun()
        request = await requests.within(self._settings.stream_idle_s, "request")
        if request is None:
            raise InvalidArgument("the call has no request; send one")
        return request

    async def _config(self, requests: Requests[pb.StreamVideoRequest]) -> pb.StreamConfig:
        self._stopping.refuse_if_begun()
        request = await requests.within(self._settings.header_timeout_s, "config")
        if request is None or request.WhichOneof("request") != "config":
            raise InvalidArgument("the first request of a stream must be its config")
        return request.config

    @contextlib.asynccontextmanager
    async def _opened(
        self, requests: Requests[pb.StreamVideoRequest], ends: asyncio.Event
    ) -> AsyncIterator[tuple[Stream, Inbox]]:
        """Yields the stream of a call and its queue, which is filled in the background and ended with `ends`."""
        config, settings = await self._config(requests), self._settings
        latest = config.drop_policy == pb.DROP_POLICY_LATEST
        inbox = Inbox(settings.stream_queue_frames, settings.stream_queue_bytes, drop_oldest=latest)
        stream = self._pipeline.stream(messages.video_options(config), inbox, every_frame=config.want_keypoints)
        tasks = [asyncio.create_task(self._receive(requests, inbox)), asyncio.create_task(_end_with(inbox, ends))]
        try:
            yield stream, inbox
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _receive(self, requests: Requests[pb.StreamVideoRequest], inbox: Inbox) -> None:
        settings = self._settings
        try:
            while (request := await requests.within(settings.stream_idle_s, "frame")) is not None:
                if request.WhichOneof("request") != "frame":
                    raise InvalidArgument("every request of a stream after its config must be a frame")
                await inbox.put(messages.frame_of(request.frame, settings.max_image_bytes, settings.max_image_pixels))
        except RequestTimeout as error:
            await inbox.end(reason=error)
        except Exception as error:
            await inbox.end(error)
        else:
            await inbox.end()


async def _end_with(inbox: Inbox, ends: asyncio.Event) -> None:
    await ends.wait()
    await inbox.end(reason=Unavailable(STOPPING))
