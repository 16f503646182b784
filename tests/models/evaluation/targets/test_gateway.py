"""The gateway as a target, where something is missing. What it answers is tested on a real service."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import grpc
import numpy as np
import pytest
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc

from models.evaluation.targets import gateway
from models.evaluation.targets.gateway import GatewayTarget
from models.evaluation.targets.outputs import WholePicture
from models.evaluation.targets.problem import TargetProblem


class OlderService(pb_grpc.InferenceServiceServicer):
    """A gateway that does not say how crops are cut, and whose model is replaced after it was listed."""

    def ListModels(self, request: pb.ListModelsRequest, context: grpc.ServicerContext) -> pb.ListModelsResponse:  # noqa: N802
        return pb.ListModelsResponse(models=[pb.Model(name="lite", version="1", ready=True, input_size=192)])

    def EstimatePose(self, request: pb.EstimatePoseRequest, context: grpc.ServicerContext) -> pb.EstimatePoseResponse:  # noqa: N802
        return pb.EstimatePoseResponse(model="lite", version="2")


class BusyService(OlderService):
    """A gateway that refuses requests at first, as one does that is started again."""

    def __init__(self, refused: int) -> None:
        self.left = refused

    def EstimatePose(self, request: pb.EstimatePoseRequest, context: grpc.ServicerContext) -> pb.EstimatePoseResponse:  # noqa: N802
        if self.left:
            self.left -= 1
            context.set_trailing_metadata((("deephar-code", "unavailable"),))
            context.abort(grpc.StatusCode.UNAVAILABLE, "it starts; try again")
        return super().EstimatePose(request, context)


@contextmanager
def served(service: OlderService) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1))
    pb_grpc.add_InferenceServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.fixture
def older() -> Iterator[str]:
    with served(OlderService()) as address:
        yield address


def test_an_older_gateway_is_to_be_updated(older: str) -> None:
    target = GatewayTarget("lite", older)
    try:
        with pytest.raises(TargetProblem, match="older than this program and does not say how lite cuts its crop"):
            _ = target.margin
    finally:
        target.close()


def test_a_model_that_is_replaced_meanwhile_ends_the_evaluation(older: str) -> None:
    target = GatewayTarget("lite", older)
    picture = WholePicture(np.zeros((8, 8, 3), np.uint8), (0.0, 0.0, 8.0, 8.0))
    try:
        with pytest.raises(TargetProblem, match=r"lite was replaced during the evaluation \(version 1, then 2\)"):
            list(target.poses([picture]))
    finally:
        target.close()


def test_a_busy_gateway_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = WholePicture(np.zeros((8, 8, 3), np.uint8), (0.0, 0.0, 8.0, 8.0))
    busy = BusyService(refused=6)  # more often than the client itself asks
    with served(busy) as address, closing(GatewayTarget("lite", address)) as target:
        with pytest.raises(TargetProblem, match="lite was replaced"):  # which the answer says
            list(target.poses([picture]))
        assert busy.left == 0
        busy.left = 10**6
        monkeypatch.setattr(gateway, "PATIENCE_S", 1.0)
        with pytest.raises(TargetProblem, match="it starts; try again"):
            list(target.poses([picture]))


def test_without_the_package_for_rest_grpc_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "deephar.transport.rest_sync", raising=False)
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(TargetProblem, match=r"lacks the package httpx: give the gateway's HOST:PORT of gRPC"):
        GatewayTarget("lite", "http://127.0.0.1:8080")
