"""Fuzzing of gRPC against the real service: messages of odd values, their order, and bytes that are none."""

from __future__ import annotations

import grpc
from deephar.v1 import inference_pb2 as pb
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from hypothesis import event, given, seed
from hypothesis import strategies as st

from service.status import STATUS
from service.testing.running import ServiceProcess
from tests.fuzz import messages
from tests.fuzz.amount import SEED, examples, inputs
from tests.fuzz.growth import Growth

_OWN = "/deephar.v1.InferenceService/"
_CHECK = "/grpc.health.v1.Health/Check"
_REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
_CALLS = st.one_of(
    st.tuples(st.just(_OWN + "EstimatePose"), messages.sent(pb.EstimatePoseRequest)),
    st.tuples(st.just(_OWN + "EstimatePose"), messages.sent(pb.EstimatePoseRequest)),
    st.tuples(st.sampled_from([_OWN + "StreamVideo", _OWN + "ClassifyClip"]), messages.clip()),
    st.tuples(st.sampled_from([_OWN + "StreamVideo", _OWN + "ClassifyClip"]), messages.clip()),
    st.tuples(st.just(_OWN + "ListModels"), messages.sent(pb.ListModelsRequest)),
    st.tuples(st.just(_CHECK), messages.sent(health_pb2.HealthCheckRequest)),
    st.tuples(st.just(_REFLECTION), messages.sent(reflection_pb2.ServerReflectionRequest)),
    st.tuples(st.text("abc/.", max_size=20).map("/".__add__), messages.sent(pb.ListModelsRequest)),
)
_PATIENCE_S = 60
_CODES = set(STATUS) - {"internal"}


def test_any_messages_are_answered_or_refused(service: ServiceProcess) -> None:
    count = inputs("grpc")
    growth = Growth(service, count)
    with grpc.insecure_channel(service.grpc_address) as channel:

        @seed(SEED)
        @examples(count)
        @given(_CALLS, st.just(None) | st.floats(0.001, 0.2))
        def call(call: tuple[str, list[bytes]], deadline_s: float | None) -> None:
            method, sent = call
            began = channel.stream_stream(method)(iter(sent), timeout=deadline_s or _PATIENCE_S)
            try:
                answers = list(began)
                event(f"{method}: {len(answers)} answers")
            except grpc.RpcError as error:
                _check(method, error, deadline_s is not None)
            growth.count()

        call()
    growth.check("gRPC")


def _check(method: str, error: grpc.RpcError, has_deadline: bool) -> None:
    status = error.code()
    if status is grpc.StatusCode.DEADLINE_EXCEEDED and has_deadline:
        return  # of the client itself, which has no trailers then
    code = dict(error.trailing_metadata() or ()).get("deephar-code")
    if not method.startswith(_OWN) and status in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND):
        return  # as gRPC itself and its health service answer
    assert code in _CODES, error
    assert STATUS[code].grpc is status
    assert error.details()
    assert "Traceback" not in error.details()
