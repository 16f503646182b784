"""Puts the parts together: settings in, a running service out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from service.catalogue import Catalogue
from service.pipeline import Pipeline
from service.rest.app import build_app
from service.rpc.server import GrpcServer
from service.settings import Settings
from service.triton.client import TritonClient
from service.triton.supervisor import TritonSupervisor
from service.workers import Workers

log = logging.getLogger(__name__)

STOPPING_S = 5.0


def create_app(settings: Settings) -> FastAPI:
    """The HTTP application. While it lives, so do the gRPC server and, without `triton_url`, an embedded Triton."""
    pipelines: list[Pipeline] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with running(settings) as pipeline:
            pipelines.append(pipeline)
            yield

    return build_app(lambda: pipelines[-1], (settings.max_image_bytes, settings.max_video_bytes), lifespan)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Pipeline]:
    supervisor = None if settings.triton_url else TritonSupervisor(settings)
    triton = TritonClient(supervisor.url if supervisor else settings.triton_url, settings.inference_timeout_s)
    server_id = supervisor.server_id if supervisor else None
    catalogue = Catalogue(triton, settings.default_model, server_id, settings.catalogue_poll_s)
    workers = Workers(settings.workers)
    pipeline = Pipeline(settings, catalogue, triton, workers)
    grpc_server = GrpcServer(pipeline, settings)
    try:
        if supervisor:
            supervisor.start()
        catalogue.start()
        await grpc_server.start()
        log.info("REST on %s:%d, gRPC on %s:%d", settings.host, settings.http_port, settings.host, settings.grpc_port)
        yield pipeline
    finally:
        await stopped("the gRPC server", grpc_server.stop(), settings.shutdown_grace_s + STOPPING_S)
        await stopped("the catalogue", catalogue.stop())
        await stopped("the way to Triton", triton.close())
        if supervisor:
            await stopped("Triton", supervisor.stop())
        workers.close()


async def stopped(what: str, stopping: Awaitable[None], seconds: float = STOPPING_S) -> None:
    """Waits for a part to stop, not for ever: one that hangs must not keep the others, or the process, alive."""
    try:
        async with asyncio.timeout(seconds):
            await stopping
    except TimeoutError:
        log.error("%s did not stop within %g s and is left behind", what, seconds)
