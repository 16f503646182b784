"""The gRPC server: `deephar.v1.InferenceService`, health and reflection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, NoReturn, TypeAlias

import grpc
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from service.answers import ClipAnswer
from service.errors import INTERNAL_DETAIL, STATUS, DeepharError, InvalidArgument
from service.pipeline import Pipeline
from service.rpc import messages
from service.rpc.frame_queue import FrameQueue
from service.settings import Settings

log = logging.getLogger(__name__)

SERVICE = pb.DESCRIPTOR.services_by_name["InferenceService"].full_name
_MESSAGE_OVERHEAD = 2**16
_RAW_4K_FRAME = 3840 * 2160 * 3
_HEALTH_POLL_S = 0.25

Context: TypeAlias = Any  # grpc.aio.ServicerContext: grpc has no types


async def _fail(context: Context, error: BaseException) -> NoReturn:
    """Ends the call with the status of the error; of an unforeseen one the caller learns nothing but that."""
    if isinstance(error, DeepharError):
        code, detail = error.code, str(error)
    else:
        log.error("a call failed", exc_info=error)
        code, detail = "internal", INTERNAL_DETAIL
    await context.abort(STATUS[code].grpc, detail, (("deephar-code", code),))
    raise AssertionError("abort does not return")


async def _first_config(requests: AsyncIterator[pb.StreamVideoRequest]) -> pb.StreamConfig:
    async for request in requests:
        if request.WhichOneof("request") == "config":
            return request.config
        break
    raise InvalidArgument("the first request of a stream must be its config")


class InferenceServicer(pb_grpc.InferenceServiceServicer):
    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:  # noqa: N802
        async def answer() -> pb.ListModelsResponse:
            return pb.ListModelsResponse(models=[messages.model_message(m) for m in self._pipeline.catalogue.all()])

        return await self._answered(answer, context)

    async def EstimatePose(self, request: pb.EstimatePoseRequest, context: Context) -> pb.EstimatePoseResponse:  # noqa: N802
        async def answer() -> pb.EstimatePoseResponse:
            boxes = [messages.box_of(box) for box in request.boxes]
            camera = messages.camera_of(request.camera) if request.HasField("camera") else None
            found = await self._pipeline.estimate_pose(
                request.image,
                request.model or None,
                boxes,
                request.layout or None,
                camera,
                request.max_people or None,
                request.flip,
            )
            return messages.pose_message(found)

        return await self._answered(answer, context)

    async def ClassifyClip(  # noqa: N802
        self, requests: AsyncIterator[pb.StreamVideoRequest], context: Context
    ) -> pb.ClassifyClipResponse:
        async def answer() -> pb.ClassifyClipResponse:
            plan = self._pipeline.plan(messages.video_options(await _first_config(requests)))
            async with (
                self._received(requests, drop_oldest=False) as queue,
                aclosing(self._pipeline.classify(queue.frames(), plan)) as events,
            ):
                async for event in events:
                    if isinstance(event, ClipAnswer):
                        return messages.clip_message(event, plan)
            raise RuntimeError("the pipeline ended without an answer")

        return await self._answered(answer, context)

    async def StreamVideo(  # noqa: N802
        self, requests: AsyncIterator[pb.StreamVideoRequest], context: Context
    ) -> AsyncIterator[pb.StreamVideoResponse]:
        try:
            config = await _first_config(requests)
            plan = self._pipeline.plan(messages.video_options(config))
            latest = config.drop_policy == pb.DROP_POLICY_LATEST
            async with (
                self._received(requests, drop_oldest=latest) as queue,
                aclosing(self._pipeline.follow(queue.frames(), plan)) as events,
            ):
                async for event in events:
                    yield messages.event_message(event, plan, queue.lag_ms, queue.dropped)
        except Exception as error:
            await _fail(context, error)

    async def _answered(self, answer: Callable[[], Awaitable[Any]], context: Context) -> Any:
        try:
            return await answer()
        except Exception as error:
            await _fail(context, error)

    @contextlib.asynccontextmanager
    async def _received(
        self, requests: AsyncIterator[pb.StreamVideoRequest], drop_oldest: bool
    ) -> AsyncIterator[FrameQueue]:
        """The frames of a stream of requests, which are received while the pipeline works."""
        settings = self._pipeline.settings
        queue = FrameQueue(settings.stream_queue_frames, drop_oldest)
        receiving = asyncio.create_task(_receive(requests, queue, settings))
        try:
            yield queue
        finally:
            receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await receiving


async def _receive(requests: AsyncIterator[pb.StreamVideoRequest], queue: FrameQueue, settings: Settings) -> None:
    try:
        async for request in requests:
            if request.WhichOneof("request") != "frame":
                raise InvalidArgument("every request of a stream after its config must be a frame")
            await queue.put(messages.frame_of(request.frame, settings.max_image_bytes, settings.max_image_pixels))
    except Exception as error:
        await queue.end(error)
    else:
        await queue.end()


class GrpcServer:
    def __init__(self, pipeline: Pipeline, settings: Settings) -> None:
        limit = max(settings.max_image_bytes, _RAW_4K_FRAME) + _MESSAGE_OVERHEAD
        self._pipeline, self._settings = pipeline, settings
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", limit),
                ("grpc.so_reuseport", 0),  # a second service on this port must fail, not share it
            ]
        )
        self._health = health.aio.HealthServicer()
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        pb_grpc.add_InferenceServiceServicer_to_server(InferenceServicer(self._pipeline), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        self._server.add_insecure_port(f"{host}:{self._settings.grpc_port}")
        await self._server.start()
        self._watch = asyncio.create_task(self._tell_health(), name="gRPC health")

    async def stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self._settings.shutdown_grace_s)

    async def _tell_health(self) -> None:
        told = None
        while True:
            ready = self._pipeline.catalogue.ready
            if ready != told:
                status = health_pb2.HealthCheckResponse
                for name in ("", SERVICE):
                    await self._health.set(name, status.SERVING if ready else status.NOT_SERVING)
                told = ready
            await asyncio.sleep(_HEALTH_POLL_S)
