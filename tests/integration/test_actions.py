"""Uploaded videos over REST, against the real service with the real embedded Triton and the committed model."""

from __future__ import annotations

import itertools
import json

import httpx
import pytest

from service.testing.running import ServiceProcess
from tests.integration.callers import post
from tests.videos import first_frames, video


def test_a_video_gets_the_name_of_its_action(service: ServiceProcess, clip_mp4: bytes) -> None:
    response = post(service, "/v1/actions", files={"video": clip_mp4}, data={"top_k": "3"})
    assert response.status_code == 200, response.text
    answer = response.json()
    assert next(a["label"] for a in answer["actions"]) == "jumping_jacks"
    assert len(answer["actions"]) == 3
    scores = [a["score"] for a in answer["actions"]]
    assert scores == sorted(scores, reverse=True)
    assert answer["video"] == {
        "width": 640,
        "height": 480,
        "frames": 100,
        "lost_frames": 0,
        "fps": 25.0,
        "duration_s": 4.0,
    }
    segments = answer["segments"]
    assert segments[0]["start_s"] == 0
    assert all(a["end_s"] == b["start_s"] for a, b in itertools.pairwise(segments))
    assert segments[-1]["end_s"] == pytest.approx(3.96, abs=0.4)


def test_events_come_as_lines_and_end_with_the_same_answer(service: ServiceProcess, clip_mp4: bytes) -> None:
    whole = post(service, "/v1/actions", files={"video": clip_mp4}).json()
    with httpx.stream(
        "POST",
        f"{service.url}/v1/actions",
        content=clip_mp4,
        headers={"accept": "application/x-ndjson", "content-type": "video/mp4"},
        timeout=60,
    ) as response:
        assert response.headers["content-type"].startswith("application/x-ndjson")
        events = [json.loads(line) for line in response.iter_lines()]
    kinds = [event["event"] for event in events]
    assert kinds.count("pose") == 40
    assert kinds.count("action") == 7
    assert kinds[15] == "pose"
    assert kinds[16] == "action"  # as soon as 16 sampled frames have arrived
    assert kinds[-1] == "answer"
    assert {k: events[-1][k] for k in ("actions", "segments", "video")} == {
        k: whole[k] for k in ("actions", "segments", "video")
    }


def test_a_clip_shorter_than_a_window_is_answered(service: ServiceProcess, clip_mp4: bytes) -> None:
    short, too_short = (first_frames(clip_mp4, frames) for frames in (32, 25))
    assert len(post(service, "/v1/actions", files={"video": short}).json()["actions"]) == 5
    answer = post(service, "/v1/actions", files={"video": too_short}).json()
    assert (answer["actions"], answer["segments"], answer["reason"]) == ([], [], "too_short")


def test_a_video_without_anybody_has_no_action(service: ServiceProcess) -> None:
    answer = post(service, "/v1/actions", files={"video": video(i / 10 for i in range(40))}).json()
    assert (answer["actions"], answer["people"], answer["segments"], answer["reason"]) == ([], [], [], "not_seen")
