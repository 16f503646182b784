"""Effort and deadlines over REST, gRPC and WebSocket, where the repository has no other model than `lite`."""

from __future__ import annotations

import grpc
import httpx
import pytest
from deephar import Client
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc

from service.testing.running import ServiceProcess
from tests.integration.sockets import socket


def asked(service: ServiceProcess, picture: bytes, timeout: str | None = None, **options: str) -> httpx.Response:
    url = f"{service.url}/v1/pose"
    return httpx.post(
        url,
        files={"image": picture},
        data=options,
        headers={"X-Request-Timeout": timeout} if timeout else {},
        timeout=60,
    )


def test_best_is_the_flip_test_and_fast_says_that_there_is_nothing_faster(
    service: ServiceProcess, person_jpeg: bytes
) -> None:
    plain, best, flipped, fast = (
        asked(service, person_jpeg, **options).json()
        for options in (dict[str, str](), {"effort": "best"}, {"flip": "true"}, {"effort": "fast"})
    )
    assert (plain["effort"], plain["effort_reason"]) == ("balanced", None)
    assert (best["effort"], best["effort_reason"]) == ("best", None)
    assert best["people"] == flipped["people"] != plain["people"]
    assert fast["effort"] == "balanced"
    assert "no faster model" in fast["effort_reason"]
    assert fast["people"] == plain["people"]


def test_grpc_and_websocket_say_the_same(service: ServiceProcess, person_jpeg: bytes) -> None:
    with grpc.insecure_channel(service.grpc_address) as channel:
        stub = pb_grpc.InferenceServiceStub(channel)
        answer = stub.EstimatePose(pb.EstimatePoseRequest(image=person_jpeg, effort=pb.EFFORT_FAST))
        with pytest.raises(grpc.RpcError, match="effort has the unknown value"):
            stub.EstimatePose(pb.EstimatePoseRequest(image=person_jpeg, effort=9))  # type: ignore[arg-type]
    assert answer.effort == pb.EFFORT_BALANCED
    assert "no faster model" in answer.effort_reason
    with Client(service.grpc_address) as client:
        frames = [pb.Frame(encoded=person_jpeg, timestamp_ns=i) for i in range(2)]
        started = next(iter(client.stream(frames, pb.StreamConfig(effort=pb.EFFORT_BEST)))).started
    assert (started.model, started.effort) == ("lite", pb.EFFORT_BALANCED)
    with socket(service) as stream:
        stream.say("config", effort="best")
        event = stream.until("started")
    assert event["effort"] == "balanced"
    assert event["effort_reason"] == started.effort_reason != ""


@pytest.mark.parametrize("header", ["1ms", "0.001", "0.001s"])
def test_an_answer_that_comes_too_late_is_not_waited_for(
    service: ServiceProcess, person_jpeg: bytes, clip_mp4: bytes, header: str
) -> None:
    for answer in (
        asked(service, person_jpeg, header),
        asked(service, person_jpeg, deadline_ms="1"),
        httpx.post(f"{service.url}/v1/actions", content=clip_mp4, headers={"X-Request-Timeout": header}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
    assert asked(service, person_jpeg, "30", deadline_ms="20000").status_code == 200


@pytest.mark.parametrize("header", ["soon", "-1", "0", "1m", "1e3"])
def test_a_time_that_is_none_is_told(service: ServiceProcess, person_jpeg: bytes, header: str) -> None:
    answer = asked(service, person_jpeg, header)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")
    assert "X-Request-Timeout" in answer.json()["detail"]
