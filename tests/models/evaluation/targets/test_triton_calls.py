"""How a Triton is asked that is away for a while, refuses, or changes: a gRPC server that does these on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import (
    GRPCInferenceServiceServicer,
    add_GRPCInferenceServiceServicer_to_server,
)

from models.evaluation.targets import triton_calls
from models.evaluation.targets.problem import TargetProblem
from models.evaluation.targets.triton_calls import UNDER_WAY, Sent, TritonCalls


class Faulty(GRPCInferenceServiceServicer):
    """Answers with the number that it is sent, but for what it is told to do wrong."""

    def __init__(self) -> None:
        self.faults: list[grpc.StatusCode | str] = []  # of the next calls
        self.version, self.now, self.most = "1", 0, 0
        self._lock = threading.Lock()

    def ModelInfer(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - gRPC's name
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
            fault = self.faults.pop(0) if self.faults else None
        time.sleep(0.01)
        with self._lock:
            self.now -= 1
        if isinstance(fault, grpc.StatusCode):
            context.abort(fault, "as it was told")
        answer = pb.ModelInferResponse(model_name=request.model_name, model_version=self.version)
        answer.outputs.add(name="out", datatype="FP32", shape=[1])
        answer.raw_output_contents.append(b"" if fault == "torn" else request.raw_input_contents[0])
        return answer


@pytest.fixture
def server() -> Iterator[tuple[Faulty, TritonCalls]]:
    faulty = Faulty()
    with ThreadPoolExecutor(8) as pool:
        running = grpc.server(pool)
        add_GRPCInferenceServiceServicer_to_server(faulty, running)
        port = running.add_insecure_port("127.0.0.1:0")
        running.start()
        calls = TritonCalls(f"127.0.0.1:{port}")
        yield faulty, calls
        calls.close()
        running.stop(0).wait()


def numbers(calls: TritonCalls, count: int) -> list[float]:
    batches = ([Sent("in", "FP32", (1,), np.float32(number).tobytes())] for number in range(count))
    return [float(answer["out"][0]) for answer in calls.answers("net", batches, ["out"])]


def test_several_are_under_way_and_answers_keep_their_order(server: tuple[Faulty, TritonCalls]) -> None:
    faulty, calls = server
    assert numbers(calls, 20) == list(range(20))
    assert 1 < faulty.most <= UNDER_WAY


@pytest.mark.parametrize("fault", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, "torn"])
def test_what_is_away_for_a_while_is_asked_again(
    server: tuple[Faulty, TritonCalls], fault: grpc.StatusCode | str
) -> None:
    faulty, calls = server
    faulty.faults = [fault] * 4
    assert numbers(calls, 6) == list(range(6))


def test_what_stays_away_is_given_up(server: tuple[Faulty, TritonCalls], monkeypatch: pytest.MonkeyPatch) -> None:
    faulty, calls = server
    monkeypatch.setattr(triton_calls, "PATIENCE_S", 0.5)
    faulty.faults = [grpc.StatusCode.UNAVAILABLE] * 100
    with pytest.raises(TargetProblem, match="has not answered for"):
        numbers(calls, 3)


def test_what_is_refused_is_not_asked_again(server: tuple[Faulty, TritonCalls]) -> None:
    faulty, calls = server
    faulty.faults = [grpc.StatusCode.INVALID_ARGUMENT]
    with pytest.raises(TargetProblem, match="refuses net: as it was told"):
        numbers(calls, 1)
    assert not faulty.faults


def test_a_network_that_is_replaced_meanwhile_ends_the_evaluation(server: tuple[Faulty, TritonCalls]) -> None:
    faulty, calls = server
    numbers(calls, 1)
    faulty.version = "2"
    with pytest.raises(TargetProblem, match="net was replaced"):
        numbers(calls, 1)


def test_who_leaves_early_cancels_nothing(server: tuple[Faulty, TritonCalls]) -> None:
    """Triton 2.51 may crash where a call is cancelled just as it is answered."""
    faulty, calls = server
    batches = ([Sent("in", "FP32", (1,), np.float32(number).tobytes())] for number in range(9))
    answers = calls.answers("net", batches, ["out"])
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert faulty.now == 0


def test_a_server_without_tritons_calls_is_named(server: tuple[Faulty, TritonCalls]) -> None:
    _, calls = server
    with pytest.raises(TargetProblem, match=r"is no Triton; is it the gateway of deephar-serve\?"):
        calls.server()
