"""Hundreds of odd files through the real service: never a fault of its own, always the size that a viewer shows."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from service.testing.running import ServiceProcess
from tests import odd_pictures, odd_videos
from tests.odd_pictures import OddPicture
from tests.odd_videos import OddVideo


@pytest.fixture(scope="module")
def client(service: ServiceProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=60) as client:
        yield client


@pytest.mark.parametrize("case", odd_pictures.all_of_them(), ids=str)
def test_a_picture(client: httpx.Client, case: OddPicture) -> None:
    whole = {"boxes": json.dumps([[0, 0, *case.size]])}  # nobody is in them; to look for people takes longer
    headers = {"Content-Type": "application/octet-stream"}
    answer = client.post("/v1/pose", content=case.data, headers=headers, params=whole)
    assert answer.status_code == case.status, answer.text
    if case.status == odd_pictures.WHOLE:
        assert answer.json()["image"] == dict(zip(("width", "height"), case.size, strict=True))
    else:
        assert case.says in answer.json()["detail"]


@pytest.mark.parametrize("case", odd_videos.all_of_them(), ids=str)
def test_a_video(client: httpx.Client, case: OddVideo) -> None:
    answer = client.post("/v1/actions", content=case.data, headers={"Content-Type": "application/octet-stream"})
    assert answer.status_code == 200, answer.text
    facts = answer.json()["video"]
    assert (facts["width"], facts["height"]) == case.size
    assert case.frames in (-1, facts["frames"])
