"""The methods of `deephar.v1.InferenceService`."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

from deephar.v1 import inference_pb2 as pb
from google.protobuf.message import Message

from service.errors import InvalidArgument
from service.networks.urgency import Latency, become
from service.pipeline.admission import Admission
from service.pipeline.answers import ClipAnswer
from service.pipeline.live import live
from service.pipeline.options import StreamOptions
from service.pipeline.pipeline import Pipeline
from service.rpc import messages
from service.rpc.calls import Context, Handler, Requests, answering, streaming
from service.stopping import Stopping
from service.telemetry.metrics import METRICS
from service.video.frame import Flush
from service.video.inbox import Inbox
from service.video.received import FrameLimits

M = TypeVar("M", bound=Message)
SERVICE = pb.DESCRIPTOR.services_by_name["InferenceService"].full_name


class InferenceServicer:
    """Calls the pipeline with the messages of a call, after admission."""

    def __init__(self, pipeline: Pipeline, stopping: Stopping) -> None:
        self._pipeline, self._stopping, self._settings = pipeline, stopping, pipeline.settings
        self._lists = Admission(self._settings.max_questions, "lists")

    def handlers(self) -> dict[str, Handler]:
        limits = self._settings
        return {
            "ListModels": answering(pb.ListModelsRequest, self.list_models, pb.ListModelsResponse, limits),
            "EstimatePose": answering(pb.EstimatePoseRequest, self.estimate_pose, pb.EstimatePoseResponse, limits),
            "ClassifyClip": answering(pb.StreamVideoRequest, self.classify_clip, pb.ClassifyClipResponse, limits),
            "StreamVideo": streaming(pb.StreamVideoRequest, self.stream_video, pb.StreamVideoResponse, limits),
        }

    async def list_models(self, requests: Requests[pb.ListModelsRequest], _: Context) -> pb.ListModelsResponse:
        with self._lists.enter():
            await self._only(requests)
        catalogue = self._pipeline.catalogue
        return pb.ListModelsResponse(
            models=[messages.model_message(model) for model in catalogue.all()],
            incomplete=[pb.Model(name=state.name, missing=state.missing) for state in catalogue.incomplete()],
        )

    async def estimate_pose(
        self, requests: Requests[pb.EstimatePoseRequest], context: Context
    ) -> pb.EstimatePoseResponse:
        with self._pipeline.requests.enter():
            request = await self._only(requests)
            image, options = request.image, messages.picture_options(request, self._settings.max_boxes)
            del request
            become(Latency.SINGLE, _due_s(context))
            load = self._pipeline.requests.load_by_others
            with self._pipeline.pixels.hold() as held:
                answer = await self._pipeline.pictures.estimate(image, options, held, load)
                with METRICS.stage("encode").time():
                    return messages.pose_message(answer)

    async def classify_clip(
        self, requests: Requests[pb.StreamVideoRequest], context: Context
    ) -> pb.ClassifyClipResponse:
        with self._pipeline.streams.enter():
            began_s = time.monotonic()
            options, receive = await self._options(requests), self._receiving(requests)
            become(Latency.BULK, _due_s(context, began_s, options.deadline_ms))
            async with (
                live(self._pipeline, options, receive, self._stopping.over, is_live=False) as (stream, inbox),
                aclosing(stream.classified()) as events,
            ):
                async for event in events:
                    if isinstance(event, ClipAnswer):
                        inbox.raise_reason()
                        with METRICS.stage("encode").time():
                            return messages.clip_message(event)
        raise RuntimeError("the pipeline ended without an answer")

    async def stream_video(
        self, requests: Requests[pb.StreamVideoRequest], context: Context
    ) -> AsyncGenerator[pb.StreamVideoResponse, None]:
        with self._pipeline.streams.enter():
            become(Latency.LIVE, _due_s(context))
            options, receive = await self._options(requests), self._receiving(requests)
            async with live(self._pipeline, options, receive, self._stopping.begun) as (stream, inbox):
                yield messages.started_message(stream.plan, inbox.credits)
                async with aclosing(stream.events()) as events:
                    async for event in events:
                        with METRICS.stage("encode").time():
                            message = messages.event_message(event, inbox.credits)
                        yield message
                inbox.raise_reason()

    async def _only(self, requests: Requests[M]) -> M:
        """Returns the request of a call with a single one."""
        self._stopping.refuse_if_begun()
        with METRICS.stage("read").time():
            request = await requests.within(self._settings.stream_idle_s, "request")
        if request is None:
            raise InvalidArgument("the call has no request; send one")
        return request

    async def _options(self, requests: Requests[pb.StreamVideoRequest]) -> StreamOptions:
        self._stopping.refuse_if_begun()
        request = await requests.within(self._settings.header_timeout_s, "config")
        if request is None or request.WhichOneof("request") != "config":
            raise InvalidArgument("the first request of a stream must be its config")
        return messages.stream_options(request.config)

    def _receiving(self, requests: Requests[pb.StreamVideoRequest]) -> Callable[[Inbox], Awaitable[None]]:
        """Returns what fills a queue with the frames of a call."""
        settings = self._settings
        limits = FrameLimits(settings.max_image_bytes, settings.max_image_pixels)

        async def receive(inbox: Inbox) -> None:
            while (request := await requests.within(settings.stream_idle_s, "frame")) is not None:
                match request.WhichOneof("request"):
                    case "frame":
                        await inbox.put(messages.received_of(request.frame, limits))
                    case "flush":
                        await inbox.put(Flush())
                    case _:
                        raise InvalidArgument("every request of a stream after its config must be a frame or a flush")

        return receive


def _due_s(context: Context, began_s: float = 0.0, deadline_ms: float | None = None) -> float | None:
    """Returns when the answer is due, by `time.monotonic`; None where there is no limit.

    Args:
        context: The call, which may have a deadline.
        began_s: When it began.
        deadline_ms: The option. Of both, the sooner holds.
    """
    limits_s = [] if deadline_ms is None else [began_s + deadline_ms / 1e3]
    if (left_s := context.time_remaining()) is not None:
        limits_s.append(time.monotonic() + left_s)
    return min(limits_s, default=None)
