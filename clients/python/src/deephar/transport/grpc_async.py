"""gRPC for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

import grpc
from grpc._cython import cygrpc

from deephar import messages
from deephar.address import Address
from deephar.clip import Clip
from deephar.errors import Closed
from deephar.frames import Flush, Frame
from deephar.inputs import async_items_of
from deephar.options import PoseOptions, VideoOptions
from deephar.results import ActionsAnswer, Model, PoseAnswer
from deephar.tasks import ended
from deephar.transport import AsyncStreamConnection, Connecting, Message
from deephar.transport.grpc_calls import OPTIONS, credentials_of, error_of, message_of, metadata_of
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc

# What writing to an ended call raises.
_ENDED = (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError, cygrpc.InternalError)


class AsyncGrpcTransport:
    """A channel of `grpc.aio`. It connects with the first call."""

    def __init__(self, address: Address, connecting: Connecting) -> None:
        self._address, self._metadata = address, metadata_of(connecting)
        credentials = credentials_of(address, connecting)
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(address.target, OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(address.target, credentials, OPTIONS)
        self._stub = pb_grpc.InferenceServiceStub(self._channel)
        self._streams: WeakSet[_GrpcStream] = WeakSet()  # running ones: a channel that is closed may forget to end them

    async def models(self, timeout_s: float) -> list[Model]:
        response = await self._answer(self._stub.ListModels, pb.ListModelsRequest(), timeout_s)
        return messages.models_of(response)

    async def pose(self, picture: bytes, options: PoseOptions, timeout_s: float) -> PoseAnswer:
        return messages.pose_answer(await self.pose_message(picture, options, timeout_s))

    async def pose_message(self, picture: bytes, options: PoseOptions, timeout_s: float) -> pb.EstimatePoseResponse:
        """Returns the answer as it came."""
        response: pb.EstimatePoseResponse = await self._answer(
            self._stub.EstimatePose, messages.pose_request(picture, options), timeout_s
        )
        return response

    async def classify(
        self, video: Path | AsyncIterator[Frame | Flush], options: VideoOptions, timeout_s: float
    ) -> ActionsAnswer:
        frames: Any = video
        if isinstance(video, Path):
            from deephar.video import frames_of

            frames = await asyncio.to_thread(frames_of(video).open)
        clip = Clip(frames)
        call = self._stub.ClassifyClip(timeout=timeout_s, metadata=self._metadata)

        async def send() -> None:
            await _written(call, messages.config_request(options))
            async for item in async_items_of(frames):
                if isinstance(item, Frame):
                    clip.count(item)
                if not await _written(call, messages.item_request(item)):
                    break
            with suppress(*_ENDED):
                await call.done_writing()

        async def answer() -> Any:
            return await call

        sending, answering = asyncio.create_task(send()), asyncio.create_task(answer())
        try:  # the call may end while the next frame is not there yet
            await asyncio.wait((sending, answering), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()  # what the frames raise
            response = await answering
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self._address) from error
        finally:
            call.cancel()
            await ended(sending)
            await ended(answering)
        return messages.actions_answer(response, clip.facts())

    async def stream(self, options: VideoOptions, connect_timeout_s: float) -> AsyncStreamConnection:  # noqa: ARG002
        call = self._stub.StreamVideo(metadata=self._metadata)
        connection = _GrpcStream(call, self._address)
        self._streams.add(connection)
        await connection.write(messages.config_request(options))
        return connection

    async def close(self) -> None:
        for stream in list(self._streams):
            await stream.close()
        await self._channel.close()

    async def _answer(self, method: Any, request: Any, timeout_s: float) -> Any:
        try:
            return await method(request, timeout=max(0.0, timeout_s), metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self._address) from error


async def _written(call: Any, request: pb.StreamVideoRequest) -> bool:
    """Writes a request; returns whether that was possible. Whoever reads learns why not.

    `call.write` replaces the status of a call that ends meanwhile by INTERNAL (https://github.com/grpc/grpc/issues/36066),
    so the call of Core below it is used.
    """
    try:
        await call.wait_for_connection()
        await call._cython_call.send_serialized_message(request.SerializeToString())
    except _ENDED:
        return False
    return True


class _GrpcStream:
    """A call of `StreamVideo`."""

    def __init__(self, call: Any, address: Address) -> None:
        self._call, self._address = call, address
        self._reading: asyncio.Task[Any] | None = None  # goes on where a wait for it has ended

    async def send(self, item: Frame | Flush) -> None:
        await self.write(messages.item_request(item))

    async def write(self, request: pb.StreamVideoRequest) -> None:
        await _written(self._call, request)

    async def end(self) -> None:
        with suppress(*_ENDED):
            await self._call.done_writing()

    async def receive(self, timeout_s: float) -> Message | None:
        if self._reading is None:
            self._reading = asyncio.create_task(self._call.read())
        done, _ = await asyncio.wait((self._reading,), timeout=timeout_s)
        if not done:
            raise TimeoutError
        reading, self._reading = self._reading, None
        try:
            response = reading.result()
        except asyncio.CancelledError:  # the call was
            raise Closed from None
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self._address, in_stream=True) from error
        return None if response is grpc.aio.EOF else message_of(response)

    async def close(self) -> None:
        self._call.cancel()
        if (reading := self._reading) is not None:  # which whoever receives may take meanwhile
            await asyncio.wait((reading,))
            if not reading.cancelled():
                reading.exception()
