"""A service that is told to stop does, whatever happens at that moment."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from service.composition import stopped
from service.networks.catalogue import Catalogue
from service.testing.networks import FakeServer


def test_a_catalogue_stops_though_triton_is_lost_at_that_very_moment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Python 3.11's `wait_for` lost the cancellation, and the service did not end."""
    monkeypatch.setattr(Catalogue, "missing", lambda _: None)

    async def scene() -> None:
        triton = FakeServer(tmp_path)  # without models
        catalogue = Catalogue(triton, "lite", None, poll_s=60)
        catalogue.start()
        await asyncio.sleep(0.05)  # now it waits for `doubted`, or for its next reading
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
