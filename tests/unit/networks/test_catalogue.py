"""What the catalogue tells of models while Triton is away."""

from __future__ import annotations

import asyncio

from service.networks.catalogue import Catalogue
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
