"""Readiness: whether pictures and videos can be answered, checked by answering one."""

from __future__ import annotations

import asyncio
import logging
import time

from service.background import BackgroundTask
from service.errors import DeepharError
from service.pipeline.pipeline import Pipeline
from service.stopping import STOPPING, Stopping
from service.telemetry.metrics import METRICS

log = logging.getLogger(__name__)

EVERY_S = 1.0  # interval of the checks while the service is ready
AGAIN_S = 0.25  # interval while it is not, and of the questions whether a running check is stuck


class Readiness:
    """Runs a small picture through the whole pipeline at an interval, past admission: a busy service is ready."""

    def __init__(self, pipeline: Pipeline, stopping: Stopping) -> None:
        self._pipeline, self._stopping = pipeline, stopping
        self._fault: str | None = "the models are still being loaded"
        METRICS.ready.set_function(lambda: self.fault() is None)
        self._checking = BackgroundTask(self._keep_checking, "readiness")

    def start(self) -> None:
        self._checking.start()

    async def stop(self) -> None:
        await self._checking.stop()

    def fault(self) -> str | None:
        """Returns why the service is not ready; None when it is."""
        if self._stopping.announced.is_set():
            return STOPPING
        return self._pipeline.catalogue.missing() or self._fault

    async def _keep_checking(self) -> None:
        while True:
            fault = await self._check()
            if fault != self._fault:
                logged_by_catalogue = self._pipeline.catalogue.missing() is not None
                if fault is not None and not logged_by_catalogue:
                    log.warning("the service is not ready: %s", fault)
                elif fault is None:
                    log.info("the service is ready")
                self._fault = fault
            await asyncio.sleep(EVERY_S if fault is None else AGAIN_S)

    async def _check(self) -> str | None:
        if (missing := self._pipeline.catalogue.missing()) is not None:
            return missing
        began, check = time.monotonic(), asyncio.create_task(self._pipeline.self_check.run())
        try:
            while not (await asyncio.wait([check], timeout=AGAIN_S))[0]:
                if (stuck := self._pipeline.self_check.stuck_since(began)) is not None:
                    return stuck
            check.result()
        except DeepharError as error:
            return str(error)
        except Exception:
            log.exception("the readiness check failed")
            return "the service failed on its own check; the cause is in its log"
        finally:
            check.cancel()
            await asyncio.gather(check, return_exceptions=True)
        return None
