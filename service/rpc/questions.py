"""Health and server reflection, the services that tools and load balancers expect of a gRPC server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeAlias

import grpc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from service.errors import InvalidArgument
from service.pipeline.admission import Admission
from service.pipeline.readiness import Readiness
from service.rpc.calls import Context, Handler, Requests, answering, streaming
from service.settings import Settings
from service.stopping import Stopping

HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
_WATCH_S = 0.25  # interval at which `Watch` reads the status

_Asked: TypeAlias = health_pb2.HealthCheckRequest
_Status: TypeAlias = health_pb2.HealthCheckResponse


class Health:
    """`grpc.health.v1.Health`: SERVING while `/readyz` answers 200."""

    def __init__(self, readiness: Readiness, stopping: Stopping, names: tuple[str, ...], settings: Settings) -> None:
        self._readiness, self._stopping, self._names, self._settings = readiness, stopping, ("", *names), settings
        most = settings.max_questions
        self._asking, self._watching = Admission(most, "questions"), Admission(most, "watchers")

    def handlers(self) -> dict[str, Handler]:
        return {
            "Check": answering(_Asked, self._check, _Status, self._settings),
            "Watch": streaming(_Asked, self._watch, _Status, self._settings),
        }

    async def _check(self, requests: Requests[_Asked], context: Context) -> _Status:
        with self._asking.enter():
            name = await self._asked(requests)
            if name not in self._names:
                await context.abort(grpc.StatusCode.NOT_FOUND, "there is no service of this name")
            return _Status(status=self._status(name))

    async def _watch(self, requests: Requests[_Asked], _: Context) -> AsyncGenerator[_Status, None]:
        with self._watching.enter():
            name, last = await self._asked(requests), None
            while True:
                if (now := self._status(name)) != last:
                    last = now
                    yield _Status(status=now)
                if self._stopping.begun.is_set():
                    return
                await asyncio.sleep(_WATCH_S)

    def _status(self, name: str) -> int:
        if name not in self._names:
            return _Status.SERVICE_UNKNOWN
        return _Status.SERVING if self._readiness.fault() is None else _Status.NOT_SERVING

    async def _asked(self, requests: Requests[_Asked]) -> str:
        request = await requests.within(self._settings.header_timeout_s, "question")
        if request is None:
            raise InvalidArgument("the call has no request; send one")
        return str(request.service)


class Reflection:
    """Server reflection: tools such as grpcurl read the methods and messages from the server."""

    def __init__(self, names: tuple[str, ...], settings: Settings) -> None:
        self._servicer = reflection.aio.ReflectionServicer(names)
        self._settings = settings
        self._asking = Admission(settings.max_questions, "questions")

    def handlers(self) -> dict[str, Handler]:
        request, response = reflection_pb2.ServerReflectionRequest, reflection_pb2.ServerReflectionResponse
        return {"ServerReflectionInfo": streaming(request, self._reflect, response, self._settings)}

    async def _reflect(
        self, requests: Requests[reflection_pb2.ServerReflectionRequest], context: Context
    ) -> AsyncGenerator[reflection_pb2.ServerReflectionResponse, None]:
        async def in_time() -> AsyncGenerator[reflection_pb2.ServerReflectionRequest, None]:
            while (request := await requests.within(self._settings.stream_idle_s, "question")) is not None:
                yield request

        with self._asking.enter():
            async for answer in self._servicer.ServerReflectionInfo(in_time(), context):
                yield answer
