"""Composition of the service: settings in, running parts out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.access.access import Access
from service.certificates import Certificates, certificates_of
from service.embedded_triton.supervisor import TritonSupervisor
from service.networks.addresses import Resolver, is_name
from service.networks.catalogue import Catalogue
from service.networks.loading import RepositoryLoader
from service.networks.several import SeveralTritons
from service.networks.triton import TritonClient
from service.networks.watch import TritonWatch
from service.pipeline.pipeline import Pipeline
from service.pipeline.readiness import Readiness
from service.rpc.server import GrpcServer
from service.settings import Settings
from service.stopping import Stopping
from service.workers import Workers

log = logging.getLogger(__name__)

STOPPING_S = 1.5  # for each part to stop, when no request is in work


@dataclass(frozen=True)
class Parts:
    """The parts of a running service that REST and the shutdown need."""

    triton: TritonClient | SeveralTritons
    pipeline: Pipeline
    readiness: Readiness
    stopping: Stopping
    grpc_server: GrpcServer
    supervisor: TritonSupervisor | None
    access: Access
    certificates: Certificates | None


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Parts]:
    """Runs all parts but REST, among them the gRPC server and, without `triton_url`, an embedded Triton.

    Args:
        settings: The settings of the service.

    Yields:
        The running parts; they stop at the end of the context.

    Raises:
        UnusableFile: A file of keys or certificates is broken.
    """
    access, certificates = Access(settings), certificates_of(settings)
    async with _networks(settings) as (triton, catalogue, supervisor):
        workers = Workers(settings.workers)
        pipeline = Pipeline(settings, catalogue, triton, workers)
        stopping = Stopping()
        readiness = Readiness(pipeline, stopping)
        grpc_server = GrpcServer(pipeline, readiness, stopping, access, certificates)
        try:
            access.start()
            if certificates:
                certificates.start()
            readiness.start()
            await grpc_server.start()
            log.info(
                "REST on %s:%d, gRPC on %s:%d", settings.host, settings.http_port, settings.host, settings.grpc_port
            )
            yield Parts(triton, pipeline, readiness, stopping, grpc_server, supervisor, access, certificates)
        finally:
            await stopped("the gRPC server", grpc_server.stop(0))
            await stopped("the readiness check", readiness.stop())
            await stopped("the keys of callers", access.stop())
            if certificates:
                await stopped("the certificates", certificates.stop())
            workers.close()


@asynccontextmanager
async def _networks(
    settings: Settings,
) -> AsyncIterator[tuple[TritonClient | SeveralTritons, Catalogue, TritonSupervisor | None]]:
    """Runs what has to do with Triton: the service's own, or the way to others."""
    addresses = settings.triton_urls
    supervisor = None if addresses else TritonSupervisor(settings, lambda reason: catalogue.end(reason))

    def client(address: str) -> TritonClient:
        return TritonClient(address, settings.inference_timeout_s, settings.bulk_in_flight)

    triton: TritonClient | SeveralTritons
    parts: list[tuple[str, TritonSupervisor | SeveralTritons | RepositoryLoader | TritonWatch | Catalogue]] = []
    if supervisor is not None:
        triton = own = client(supervisor.url)
        loader = RepositoryLoader(own, settings.model_repository, lambda: supervisor.pid)
        catalogue = Catalogue(
            own, settings.default_model, supervisor.server_id, settings.catalogue_poll_s, loader.refusals, "embedded"
        )
        watch = TritonWatch(own, lambda: catalogue.lost_s, lambda: catalogue.networks, supervisor.restart)
        parts = [("Triton", supervisor), ("the loader of models", loader), ("the watch of Triton", watch)]
    else:
        one = len(addresses) == 1 and not is_name(addresses[0])
        triton = client(addresses[0]) if one else SeveralTritons(Resolver(addresses), settings.triton_url, client)
        address = addresses[0] if one else ""
        catalogue = Catalogue(triton, settings.default_model, None, settings.catalogue_poll_s, address=address)
        if isinstance(triton, SeveralTritons):
            parts = [("the check of the Tritons", triton)]
    parts.append(("the catalogue", catalogue))
    try:
        for _, part in parts:
            part.start()
        yield triton, catalogue, supervisor
    finally:
        for name, part in reversed([part for part in parts if part[1] is not supervisor]):
            await stopped(name, part.stop())
        await stopped("the way to Triton", triton.close())
        if supervisor is not None:
            await stopped("Triton", supervisor.stop())


async def stopped(what: str, stopping: Awaitable[None], seconds: float = STOPPING_S) -> None:
    """Waits for a part to stop. One that hangs is left behind, so that it does not keep the process alive.

    Args:
        what: Name of the part, for the log.
        stopping: What returns when it has stopped.
        seconds: Time limit.
    """
    try:
        async with asyncio.timeout(seconds):
            await stopping
    except TimeoutError:
        log.error("%s did not stop within %g s and is left behind", what, seconds)
