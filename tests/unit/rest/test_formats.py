"""Documents in formats of other programs, where the service's disk is full."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from deephar.formats import FORMATS, Poses

from service.errors import Unavailable
from service.rest.formats import UploadQuestion, written
from service.rest.schemas import LayoutJson
from service.vision.layouts import LAYOUTS


async def frames() -> AsyncGenerator[Poses, None]:
    for number in range(3):
        yield Poses("v.mp4", number, number / 10, 64, 48, [])


@pytest.mark.parametrize("name", ["coco", "trc"])
def test_what_waits_for_the_end_finds_no_room(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deephar.formats.aside.SpooledTemporaryFile", lambda **_: open("/dev/full", "w+"))  # noqa: SIM115

    async def read() -> None:
        layout = LayoutJson.of(LAYOUTS["coco17"], has_depth=True)
        async for _ in written(FORMATS[name], layout, UploadQuestion(), frames()):
            pass

    with pytest.raises(Unavailable, match="no room"):
        asyncio.run(read())
