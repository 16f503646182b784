"""The gateway on a fake of the inference server, for tests that need no Triton."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from service.networks.catalogue import Catalogue
from service.pipeline.pipeline import Pipeline
from service.pipeline.readiness import Readiness
from service.settings import Settings
from service.stopping import Stopping
from service.testing.networks import FakeServer
from service.workers import Workers

T = TypeVar("T")


@dataclass
class Gateway:
    server: FakeServer
    catalogue: Catalogue
    pipeline: Pipeline
    readiness: Readiness
    stopping: Stopping


@asynccontextmanager
async def gateway(**settings: object) -> AsyncIterator[Gateway]:
    chosen = Settings.model_validate(settings)
    server, workers = FakeServer(), Workers(2)
    catalogue = Catalogue(server, chosen.default_model, None, chosen.catalogue_poll_s)
    await catalogue.read()
    pipeline, stopping = Pipeline(chosen, catalogue, server, workers), Stopping()
    readiness = Readiness(pipeline, stopping)
    try:
        yield Gateway(server, catalogue, pipeline, readiness, stopping)
    finally:
        workers.close()


def with_gateway(work: Callable[[Gateway], Awaitable[T]], **settings: object) -> T:
    """Runs the coroutine function with a gateway of its own."""

    async def run() -> T:
        async with gateway(**settings) as parts:
            return await work(parts)

    return asyncio.run(run())
