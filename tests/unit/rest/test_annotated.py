"""Answers as annotated videos, on a fake of the inference server: what is too long, too much or too early."""

from __future__ import annotations

import threading
import time
from tempfile import SpooledTemporaryFile
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from tests.unit.parts import Gateway
from tests.unit.rest.test_app import asked
from tests.videos import pictures_of, video

MP4 = {"Accept": "video/mp4"}


def clip(width: int, height: int, count: int = 3) -> list[tuple[str, tuple[str, bytes]]]:
    picture = cv2.imencode(".png", np.full((height, width, 3), 90, np.uint8))[1].tobytes()
    return [("frames", (f"{i}.png", picture)) for i in range(count)]


def test_a_file_is_moved_to_the_disk_while_nothing_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first pass reads ahead in the pool: a file that is moved meanwhile has an end in its middle."""
    readers: set[int] = set()
    read, rollover = SpooledTemporaryFile.read, SpooledTemporaryFile.rollover
    moved_under_readers = []

    def slow_read(self: Any, *size: int) -> Any:
        readers.add(threading.get_ident())
        time.sleep(0.002)
        return read(self, *size)

    def watched(self: Any) -> None:
        if not self._rolled:
            moved_under_readers.append(bool(readers))
        rollover(self)

    monkeypatch.setattr(SpooledTemporaryFile, "read", slow_read)
    monkeypatch.setattr(SpooledTemporaryFile, "rollover", watched)
    sent = video([i / 25 for i in range(60)])

    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        answer = await client.post("/v1/actions", content=sent, headers=MP4)
        assert answer.status_code == 200, answer.text
        assert len(pictures_of(answer.content)) == 60
        assert moved_under_readers == [False]

    asked(work)


@pytest.mark.parametrize(("width", "height"), [(16_386, 20), (20, 16_386)])
def test_longer_pictures_than_h264_holds_are_told(width: int, height: int) -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        sent: dict[str, Any] = {"files": clip(width, height), "data": {"fps": "10"}}
        answer = await client.post("/v1/actions", headers=MP4, **sent)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")
        assert "at most 16384 pixels a side; ask for application/json" in answer.json()["detail"]
        assert (await client.post("/v1/actions", **sent)).status_code == 200

    asked(work)


def test_clips_of_frames_take_their_part_of_the_pixels_of_videos() -> None:
    """They are encoded as files are."""

    async def work(client: httpx.AsyncClient, parts: Gateway) -> None:
        sent: dict[str, Any] = {"files": clip(100, 100), "data": {"fps": "10"}, "headers": MP4}
        with parts.pipeline.video_pixels.enter(70_001):
            answer = await client.post("/v1/actions", **sent)
        assert answer.json()["code"] == "overloaded"
        with parts.pipeline.video_pixels.enter(70_000):
            answer = await client.post("/v1/actions", **sent)
        assert answer.status_code == 200
        assert [picture.shape for _, picture in pictures_of(answer.content)] == [(100, 100, 3)] * 3
        assert not parts.pipeline.video_pixels.inside

    asked(work, max_video_pixels=100_000)
