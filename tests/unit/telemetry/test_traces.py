"""Traces: nothing of them is loaded while they are off; an endpoint that is away disturbs nobody."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb

from service.networks.triton import TritonClient
from service.telemetry import traces
from service.telemetry.observation import begun
from service.telemetry.traces import TRACES

TRACE = "0af7651916cd43dd8448eb211c80319c"
CONTEXT = f"00-{TRACE}-b7ad6b7169203331-01"


def test_the_sdk_is_not_loaded_while_they_are_off() -> None:
    code = "import sys, service.serving; sys.exit(any(n.startswith('opentelemetry.sdk') for n in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def traceparent_at_triton() -> str | None:
    """What Triton is told of the trace, when a caller has sent `CONTEXT`."""
    told: list[str | None] = []

    async def answer(_: pb.ModelInferRequest, context: grpc.aio.ServicerContext) -> pb.ModelInferResponse:
        told.append(dict(context.invocation_metadata()).get("traceparent"))
        return pb.ModelInferResponse()

    async def ask() -> None:
        server = grpc.aio.server()
        handler = grpc.unary_unary_rpc_method_handler(
            answer, pb.ModelInferRequest.FromString, pb.ModelInferResponse.SerializeToString
        )
        service = "inference.GRPCInferenceService"
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {"ModelInfer": handler})])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        triton = TritonClient(f"127.0.0.1:{port}", 5.0)
        request = begun("grpc", "service/method", traceparent=CONTEXT)
        assert request.trace_id == TRACE
        with TRACES.of_call("service/method", {"traceparent": CONTEXT}):
            await triton.infer("network", {"image": np.zeros((1, 2), np.uint8)})
        await triton.close()
        await server.stop(0)

    asyncio.run(ask())
    return told[0]


def test_off_a_callers_context_goes_on_as_it_came() -> None:
    assert traceparent_at_triton() == CONTEXT


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")  # ms
    monkeypatch.setattr(traces, "EXPORT_TIMEOUT_S", 0.1)
    TRACES.start("http://127.0.0.1:9")
    yield
    TRACES.stop()


def test_on_triton_is_told_of_its_own_span(away: None) -> None:
    told = traceparent_at_triton()
    assert told is not None
    assert told.startswith(f"00-{TRACE}-")
    assert told != CONTEXT


def test_a_collector_that_is_away_is_told_once(away: None, caplog: pytest.LogCaptureFixture) -> None:
    provider = TRACES._provider
    assert provider is not None
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            with TRACES.of_call("service/method", {}):
                pass
            provider.force_flush()
    told = [record for record in caplog.records if record.levelno >= logging.INFO]
    assert [record.getMessage() for record in told] == [
        "traces cannot be sent to http://127.0.0.1:9/v1/traces; they are dropped until it answers"
    ]


def test_an_endpoint_that_hangs_does_not_keep_the_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and never answers
        TRACES.start(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with TRACES.of_call("service/method", {}):
            pass
        began = time.monotonic()
        TRACES.stop()
        assert time.monotonic() - began < traces.EXPORT_TIMEOUT_S
