"""The gRPC server: `deephar.v1.InferenceService`, health and reflection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TypeVar

import grpc
from deephar.v1 import inference_pb2 as pb
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection

from service.errors import InvalidArgument, RequestTimeout, Unavailable
from service.pipeline.admission import Admission
from service.pipeline.answers import ClipAnswer
from service.pipeline.pipeline import Pipeline
from service.pipeline.readiness import Readiness
from service.rpc import messages
from service.rpc.calls import Context, Handler, Requests, answering, streaming
from service.rpc.questions import HEALTH, Health, Reflection
from service.stopping import STOPPING, Stopping
from service.video.inbox import FrameQueue

M = TypeVar("M", bound=Message)
SERVICE = pb.DESCRIPTOR.services_by_name["InferenceService"].full_name
_MESSAGE_OVERHEAD = 2**16
_RAW_4K_FRAME = 3840 * 2160 * 3
_MOST_LISTS = 256  # calls of ListModels at once
_OPTIONS = [
    ("grpc.so_reuseport", 0),  # a second service on this port must fail, not share it
    # A message of 1 MB can hold 1 GB in gzip, and gRPC inflates it whole: only plain messages are taken.
    ("grpc.compression_enabled_algorithms_bitset", 1),
    # A peer whose network is gone is noticed within half a minute. Clients may ask every 10 s whether we are there.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.max_connection_idle_ms", 300_000),
    ("grpc.max_concurrent_streams", 1_000),
]


class InferenceMethods:
    def __init__(self, pipeline: Pipeline, stopping: Stopping) -> None:
        self._pipeline, self._stopping, self._settings = pipeline, stopping, pipeline.settings
        self._lists = Admission(_MOST_LISTS, "lists")

    async def list_models(self, requests: Requests[pb.ListModelsRequest], _: Context) -> pb.ListModelsResponse:
        with self._lists.enter():
            await self._only(requests)
        return pb.ListModelsResponse(models=[messages.model_message(m) for m in self._pipeline.catalogue.all()])

    async def estimate_pose(self, requests: Requests[pb.EstimatePoseRequest], _: Context) -> pb.EstimatePoseResponse:
        with self._pipeline.requests.enter():
            request = await self._only(requests)
            image, options = request.image, messages.pose_options(request, self._settings.max_boxes)
            del request
            async with self._pipeline.pixels.hold() as held:
                return messages.pose_message(await self._pipeline.estimate_pose(image, options, held))

    async def classify_clip(self, requests: Requests[pb.StreamVideoRequest], _: Context) -> pb.ClassifyClipResponse:
        with self._pipeline.streams.enter():
            plan = self._pipeline.plan(messages.video_options(await self._config(requests)))
            async with (
                self._received(requests, drop_oldest=False, ends=self._stopping.over) as queue,
                aclosing(self._pipeline.classify(queue.frames(), plan)) as events,
            ):
                async for event in events:
                    if isinstance(event, ClipAnswer):
                        queue.raise_reason()
                        return messages.clip_message(event, plan)
        raise RuntimeError("the pipeline ended without an answer")

    async def stream_video(
        self, requests: Requests[pb.StreamVideoRequest], _: Context
    ) -> AsyncGenerator[pb.StreamVideoResponse, None]:
        with self._pipeline.streams.enter():
            config = await self._config(requests)
            plan = self._pipeline.plan(messages.video_options(config))
            latest = config.drop_policy == pb.DROP_POLICY_LATEST
            async with (
                self._received(requests, drop_oldest=latest, ends=self._stopping.begun) as queue,
                aclosing(self._pipeline.follow(queue.frames(), plan)) as events,
            ):
                async for event in events:
                    yield messages.event_message(event, plan, queue.lag_ms, queue.dropped)
                queue.raise_reason()

    async def _only(self, requests: Requests[M]) -> M:
        """The request of a call that has one."""
        self._stopping.refuse_if_begun()
        request = await requests.within(self._settings.stream_idle_s, "request")
        if request is None:
            raise InvalidArgument("the call has no request")
        return request

    async def _config(self, requests: Requests[pb.StreamVideoRequest]) -> pb.StreamConfig:
        self._stopping.refuse_if_begun()
        request = await requests.within(self._settings.header_timeout_s, "config")
        if request is None or request.WhichOneof("request") != "config":
            raise InvalidArgument("the first request of a stream must be its config")
        return request.config

    @contextlib.asynccontextmanager
    async def _received(
        self, requests: Requests[pb.StreamVideoRequest], drop_oldest: bool, ends: asyncio.Event
    ) -> AsyncIterator[FrameQueue]:
        """The frames of a stream of requests, which are received while the pipeline works; they end with `ends`."""
        settings = self._settings
        queue = FrameQueue(settings.stream_queue_frames, settings.stream_queue_bytes, drop_oldest)
        tasks = [asyncio.create_task(self._receive(requests, queue)), asyncio.create_task(_end_with(queue, ends))]
        try:
            yield queue
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _receive(self, requests: Requests[pb.StreamVideoRequest], queue: FrameQueue) -> None:
        settings = self._settings
        try:
            while (request := await requests.within(settings.stream_idle_s, "frame")) is not None:
                if request.WhichOneof("request") != "frame":
                    raise InvalidArgument("every request of a stream after its config must be a frame")
                await queue.put(messages.frame_of(request.frame, settings.max_image_bytes, settings.max_image_pixels))
        except RequestTimeout as error:
            await queue.end(reason=error)
        except Exception as error:
            await queue.end(error)
        else:
            await queue.end()


async def _end_with(queue: FrameQueue, ends: asyncio.Event) -> None:
    await ends.wait()
    await queue.end(reason=Unavailable(STOPPING))


class GrpcServer:
    def __init__(self, pipeline: Pipeline, readiness: Readiness, stopping: Stopping) -> None:
        settings = pipeline.settings
        limit = max(settings.max_image_bytes, _RAW_4K_FRAME) + _MESSAGE_OVERHEAD
        self._pipeline, self._stopping, self._settings = pipeline, stopping, settings
        self._server = grpc.aio.server(
            options=[
                *_OPTIONS,
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", limit),
                ("grpc.server_handshake_timeout_ms", round(1e3 * settings.header_timeout_s)),
            ],
        )
        names = (SERVICE, HEALTH, reflection.SERVICE_NAME)
        self._services = {
            SERVICE: self._methods(),
            HEALTH: Health(readiness, stopping, (SERVICE,), settings).handlers(),
            reflection.SERVICE_NAME: Reflection(names, settings).handlers(),
        }

    async def start(self) -> None:
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(name, handlers) for name, handlers in self._services.items()]
        )
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        self._server.add_insecure_port(f"{host}:{self._settings.grpc_port}")
        await self._server.start()

    async def stop(self, grace_s: float) -> None:
        """Lets calls end by themselves for so long. A second time, it is over at once."""
        await self._server.stop(grace_s)

    def _methods(self) -> dict[str, Handler]:
        methods = InferenceMethods(self._pipeline, self._stopping)
        return {
            "ListModels": answering(pb.ListModelsRequest, methods.list_models, pb.ListModelsResponse),
            "EstimatePose": answering(pb.EstimatePoseRequest, methods.estimate_pose, pb.EstimatePoseResponse),
            "ClassifyClip": answering(pb.StreamVideoRequest, methods.classify_clip, pb.ClassifyClipResponse),
            "StreamVideo": streaming(
                pb.StreamVideoRequest, methods.stream_video, pb.StreamVideoResponse, self._settings.write_timeout_s
            ),
        }
