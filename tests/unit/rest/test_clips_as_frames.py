"""A clip that is sent as its frames: their times, and what is wrong with them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from service.errors import InvalidArgument
from service.video.picture_clip import times_of
from tests.unit.parts import Gateway
from tests.unit.rest.test_app import PERSON, asked


def form(count: int, field: str = "frames") -> list[tuple[str, tuple[str, bytes]]]:
    return [(field, (f"{i}.jpg", PERSON)) for i in range(count)]


def test_times_by_rate_and_by_stamps() -> None:
    assert times_of(4, 25.0, None) == [0, 40_000_000, 80_000_000, 120_000_000]
    assert times_of(3, None, [1000.5, 1040.5, 2000.5]) == [0, 40_000_000, 1_000_000_000]


@pytest.mark.parametrize(
    ("fps", "stamps"), [(None, None), (25.0, [0.0, 1.0]), (None, [0.0]), (None, [0.0, 0.0]), (None, [1.0, 0.0])]
)
def test_times_that_are_not_said_or_do_not_rise(fps: float | None, stamps: list[float] | None) -> None:
    with pytest.raises(InvalidArgument):
        times_of(2, fps, stamps)


@pytest.mark.parametrize("times", [{"fps": "10"}, {"timestamps_ms": json.dumps([100.0 * i for i in range(20)])}])
def test_a_clip_has_its_actions_and_its_facts(times: dict[str, str]) -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        answer = await client.post("/v1/actions", files=form(20), data=times)
        assert answer.status_code == 200, answer.text
        facts = {"width": 640, "height": 480, "frames": 20, "lost_frames": 0, "fps": 10.0, "duration_s": 2.0}
        assert answer.json()["video"] == facts
        assert answer.json()["reason"] == "repeated_frames"

    asked(work)


def test_events_come_as_lines() -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        headers = {"Accept": "application/x-ndjson"}
        answer = await client.post("/v1/actions", files=form(3), data={"fps": "10"}, headers=headers)
        events = [json.loads(line) for line in answer.text.splitlines()]
        assert [event["frame_id"] for event in events if event["event"] == "pose"] == [0, 1, 2]
        assert events[-1]["event"] == "answer"

    asked(work)


def test_frames_that_are_no_samples_have_no_line() -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        headers = {"Accept": "application/x-ndjson"}
        answer = await client.post("/v1/actions", files=form(6), data={"fps": "30"}, headers=headers)
        events = [json.loads(line) for line in answer.text.splitlines()]
        assert [event["frame_id"] for event in events if event["event"] == "pose"] == [0, 3]
        assert events[-1]["event"] == "answer"

    asked(work)


@pytest.mark.parametrize(
    ("files", "data", "status", "says"),
    [
        (form(3), {}, 422, "frames need fps"),
        (form(3), {"fps": "10", "timestamps_ms": "[0, 1, 2]"}, 422, "frames need fps"),
        (form(3), {"timestamps_ms": "[0, 1]"}, 422, "2 times for 3 frames"),
        (form(3), {"timestamps_ms": "[0, 2, 1]"}, 422, "must rise"),
        (form(3), {"timestamps_ms": "[0, NaN, 1]"}, 422, "timestamps_ms must be a list"),
        (form(3), {"timestamps_ms": "[0, 1, 1e300]"}, 422, "timestamps_ms must be a list"),
        (form(3), {"timestamps_ms": "soon"}, 422, "timestamps_ms must be a list"),
        (form(3), {"fps": "0"}, 422, "fps must be a number from 0.001"),
        (form(3), {"fps": "nan"}, 422, "fps must be a number from 0.001"),
        (form(1), {"fps": "10"}, 422, "at least 2 frames"),
        (form(3), {"fps": "0.005"}, 413, "longer than"),
        (form(5), {"fps": "10"}, 422, "more than 4 of 'frames'"),
        ([*form(2), *form(1, "other")], {"fps": "10"}, 422, "the form has a file 'other'"),
        (form(3), {"fps": "1e-300"}, 422, "fps must be a number from"),
        ([*form(2), *form(1, "video")], {"fps": "10"}, 422, "send one of them"),
        (form(1, "video"), {"fps": "10"}, 422, "are of frames"),
        (form(2, "video"), {}, 422, "more than 1 of 'video'"),
        ([*form(2), ("frames", ("3.jpg", b"no picture"))], {"fps": "10"}, 422, "frame 2: the bytes are not a picture"),
    ],
)
def test_what_is_wrong_is_said(files: Any, data: dict[str, str], status: int, says: str) -> None:
    async def work(client: httpx.AsyncClient, parts: Gateway) -> None:
        answer = await client.post("/v1/actions", files=files, data=data)
        assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.text
        assert parts.pipeline.streams.inside == 0

    asked(work, max_frames=4)


def test_frames_are_bounded_in_bytes() -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        answer = await client.post("/v1/actions", files=form(40), data={"fps": "10"})
        assert answer.status_code == 413
        assert "send a video" in answer.json()["detail"]

    asked(work, max_image_bytes=500_000)
