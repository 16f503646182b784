"""Effort and deadlines over REST, gRPC and WebSocket, where the repository has no other model than `lite`."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc
from tritonclient.grpc import service_pb2 as triton_pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from service.testing.running import ServiceProcess
from tests.grpc_calls import GrpcCalls
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
    with GrpcCalls(service.grpc_address) as client:
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


PEOPLE = 32  # of a request: many more than the service's own checks ask of Triton in the meantime
BOXES = [[200.0, 60.0, 240.0, 340.0]] * PEOPLE
ALLOWED_S = 0.3


def by_header(service: ServiceProcess, picture: bytes) -> str:
    return str(asked(service, picture, f"{ALLOWED_S}", boxes=json.dumps(BOXES)).json()["code"])


def by_option(service: ServiceProcess, picture: bytes) -> str:
    return str(asked(service, picture, boxes=json.dumps(BOXES), deadline_ms=f"{1e3 * ALLOWED_S}").json()["code"])


def by_grpc(service: ServiceProcess, picture: bytes) -> str:
    request = pb.EstimatePoseRequest(image=picture, boxes=[pb.Box(x=200, y=60, width=240, height=340)] * PEOPLE)
    with grpc.insecure_channel(service.grpc_address) as channel, pytest.raises(grpc.RpcError) as caught:
        pb_grpc.InferenceServiceStub(channel).EstimatePose(request, timeout=ALLOWED_S)
    return str(caught.value.code().name.lower())


class LoadedTriton:
    """The service's Triton, which others give work of the first priority."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub: Any = GRPCInferenceServiceStub(channel)
        self._request = triton_pb.ModelInferRequest(model_name="lite_frame")
        self._request.parameters["priority"].uint64_param = 1
        image = np.zeros([PEOPLE, 192, 192, 3], np.uint8)
        self._request.inputs.add(name="image", datatype="UINT8", shape=image.shape)
        self._request.raw_input_contents.append(image.tobytes())

    def batch_s(self) -> float:
        began = time.monotonic()
        self._stub.ModelInfer(self._request)
        return time.monotonic() - began

    def work(self, batches: int) -> list[Any]:
        return [self._stub.ModelInfer.future(self._request) for _ in range(batches)]

    def late(self) -> Any:
        """An inference that may wait in the queue for a millisecond."""
        request = triton_pb.ModelInferRequest()
        request.CopyFrom(self._request)
        request.parameters["timeout"].int64_param = 1000
        return self._stub.ModelInfer.future(request)

    def counts(self) -> tuple[int, int]:
        """Rows that were computed, and requests that were not."""
        asked = triton_pb.ModelStatisticsRequest(name="lite_frame")
        counts = self._stub.ModelStatistics(asked).model_stats[0]
        return int(counts.inference_count), int(counts.inference_stats.fail.count)


@pytest.mark.parametrize("ask", [by_header, by_option, by_grpc])
def test_what_is_too_late_in_tritons_queue_is_not_computed(
    service: ServiceProcess, person_jpeg: bytes, ask: Callable[[ServiceProcess, bytes], str]
) -> None:
    asked(service, person_jpeg, boxes=json.dumps(BOXES))
    with grpc.insecure_channel(service.triton_address()) as channel:
        triton = LoadedTriton(channel)
        for _ in range(5):  # on a busy machine the time may be over before Triton is asked
            if is_refused_in_the_queue(triton, lambda: ask(service, person_jpeg)):
                return
    pytest.fail("nothing waited too long in Triton's queue")


def is_refused_in_the_queue(triton: LoadedTriton, ask: Callable[[], str]) -> bool:
    """Asks a Triton that has other work for longer than the caller waits: nothing that is too late may be computed."""
    batches = math.ceil(4 * ALLOWED_S / triton.batch_s()) + 1
    computed, refused = triton.counts()
    working = triton.work(batches)
    assert ask() == "deadline_exceeded"
    for batch in working:
        batch.result()
    deadline = time.monotonic() + 2
    while triton.counts()[1] == refused and time.monotonic() < deadline:
        time.sleep(0.05)
    computed_now, refused_now = triton.counts()
    assert 0 <= computed_now - computed - batches * PEOPLE < PEOPLE
    return refused_now > refused


def test_triton_says_that_an_inference_waited_too_long(service: ServiceProcess) -> None:
    """The gateway knows this by its text: the status is that of a Triton which is away."""
    with grpc.insecure_channel(service.triton_address()) as channel:
        triton = LoadedTriton(channel)
        triton.batch_s()
        working, late = triton.work(4), triton.late()
        with pytest.raises(grpc.RpcError, match="Request timeout expired"):
            late.result()
        for batch in working:
            batch.result()
