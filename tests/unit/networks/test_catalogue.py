"""What the catalogue tells while Triton is away."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from service.errors import Unavailable
from service.networks import watch
from service.networks.catalogue import Catalogue
from service.networks.server import Activity
from service.networks.triton import TritonClient
from service.telemetry.metrics import METRICS
from service.testing.networks import FakeServer


def test_no_model_can_answer_while_triton_is_lost() -> None:
    def ready() -> float | None:
        return METRICS.registry.get_sample_value("deephar_model_ready", {"model": "lite", "version": "1"})

    async def scene() -> None:
        catalogue = Catalogue(FakeServer(), "lite", None, 60)
        await catalogue.read()
        assert ready() == 1
        catalogue.lose("no answer")
        assert ready() == 0
        await catalogue.read()
        assert ready() == 1

    asyncio.run(scene())


@pytest.mark.parametrize("has_ended", [False, True])
def test_one_that_hangs_is_started_again_and_one_that_just_starts_is_not(
    has_ended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "ROUND_S", 0.01)
    restarts: list[str] = []

    class Away(FakeServer):
        async def ask(self, network: str, timeout_s: float) -> None:
            raise Unavailable("no connection")

    async def scene() -> None:
        server = Away()
        catalogue = Catalogue(server, "lite", None, 60)
        await catalogue.read()
        server.activity["lite_frame"] = Activity(failed=True)
        (catalogue.end if has_ended else catalogue.lose)("gone")
        watching = watch.TritonWatch(
            cast(TritonClient, server), lambda: catalogue.lost_s, lambda: catalogue.networks, restarts.append
        )
        watching.start()
        await asyncio.sleep(0.2)
        await watching.stop()

    asyncio.run(scene())
    assert restarts == ([] if has_ended else ["lite_frame did not answer 3 times in a row"])
