"""A service that is told to stop does, whatever happens at that moment."""

from __future__ import annotations

import asyncio
import logging

import pytest

from service.composition import stopped
from service.networks.catalogue import Catalogue


class EmptyTriton:
    """Has no models."""

    def __init__(self) -> None:
        self.doubted = asyncio.Event()
        self.activity: dict[str, object] = {}
        self.url = "here"

    async def models(self) -> list[object]:
        return []


def test_a_catalogue_stops_though_triton_is_lost_at_that_very_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.11's `wait_for` lost the cancellation, and the service did not end."""
    monkeypatch.setattr(Catalogue, "missing", lambda _: None)

    async def scene() -> None:
        triton = EmptyTriton()
        catalogue = Catalogue(triton, "lite", None, poll_s=60)  # type: ignore[arg-type]
        catalogue.start()
        await asyncio.sleep(0.05)  # now it waits for a doubt, or for its next reading
        triton.doubted.set()
        stopped_in_time, _ = await asyncio.wait({asyncio.create_task(catalogue.stop())}, timeout=2)
        assert stopped_in_time

    asyncio.run(scene())


def test_a_part_that_hangs_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    async def hangs() -> None:
        await asyncio.Event().wait()

    with caplog.at_level(logging.ERROR):
        asyncio.run(stopped("the test", hangs(), 0.01))
    assert "the test did not stop within 0.01 s" in caplog.text
