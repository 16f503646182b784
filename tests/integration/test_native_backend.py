"""The native OpenVINO backend: it answers what the Python backend answers, and nothing that is sent ends the server."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub
from tritonclient.utils import np_to_triton_dtype, triton_to_np_dtype

from service.testing.running import ROOT, ServiceProcess, running_service
from tests.integration.waiting import wait_for

Array = NDArray[Any]
Tensors = dict[str, Array]

REPOSITORY = ROOT / "model_repository"
CROP = (192, 192, 3)

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no compiler to build it with")


class Triton:
    """The embedded server itself, without the gateway."""

    def __init__(self, service: ServiceProcess) -> None:
        self._stub: Any = GRPCInferenceServiceStub(grpc.insecure_channel(service.triton_address()))

    def infer(self, network: str, inputs: Tensors, wanted: tuple[str, ...] = (), timeout: float = 60.0) -> Tensors:
        request = service_pb2.ModelInferRequest(model_name=network)
        for name, array in inputs.items():
            request.inputs.add(name=name, datatype=np_to_triton_dtype(array.dtype), shape=array.shape)
            request.raw_input_contents.append(array.tobytes())
        for name in wanted:
            request.outputs.add(name=name)
        answer = self._stub.ModelInfer(request, timeout=timeout)
        return {
            output.name: np.frombuffer(data, triton_to_np_dtype(output.datatype)).reshape(output.shape)
            for output, data in zip(answer.outputs, answer.raw_output_contents, strict=True)
        }

    def is_ready(self, network: str) -> bool:
        return bool(self._stub.ModelReady(service_pb2.ModelReadyRequest(name=network)).ready)

    def statistics(self, network: str) -> Any:
        return self._stub.ModelStatistics(service_pb2.ModelStatisticsRequest(name=network)).model_stats[0]


def server_of(service: ServiceProcess) -> int:
    (pid,) = [pid for pid in service.triton_pids() if Path(f"/proc/{pid}/comm").read_text() == "tritonserver\n"]
    return pid


@contextmanager
def native(**settings: Any) -> Iterator[tuple[ServiceProcess, Triton]]:
    with running_service(precision="fp32", backend="native", **settings) as service:
        assert "libtriton_onnxruntime.so" in Path(f"/proc/{server_of(service)}/maps").read_text()
        yield service, Triton(service)


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Triton, Triton]]:
    """The native backend and the Python backend."""
    with native() as (_, ours), running_service(precision="fp32", backend="python") as service:
        assert "libtriton_onnxruntime.so" not in Path(f"/proc/{server_of(service)}/maps").read_text()
        yield ours, Triton(service)


def random_inputs(network: str, rows: int, seed: int) -> Tensors:
    random = np.random.default_rng(seed)
    if network == "lite_clip":
        return {
            "action_features": random.normal(size=(rows, 16, 48)).astype(np.float32),
            "crop_boxes": random.uniform(0, 1, (rows, 16, 4)).astype(np.float32),
        }
    side = {"person": 288, "lite_frame": 192}[network]
    return {"image": random.integers(0, 256, (rows, side, side, 3), np.uint8)}


def assert_equal(ours: Tensors, theirs: Tensors) -> None:
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        assert (array.shape, array.dtype) == (theirs[name].shape, theirs[name].dtype)
        np.testing.assert_allclose(array, theirs[name], atol=1e-4, err_msg=name)


@pytest.mark.parametrize("network", ["lite_frame", "lite_clip", "person"])
@pytest.mark.parametrize("rows", [1, 3, 8])
def test_it_answers_as_the_python_backend_does(both: tuple[Triton, Triton], network: str, rows: int) -> None:
    ours, theirs = both
    inputs = random_inputs(network, rows, seed=rows)
    assert_equal(ours.infer(network, inputs), theirs.infer(network, inputs))


def test_each_of_many_callers_gets_its_own_answer(both: tuple[Triton, Triton]) -> None:
    ours, theirs = both
    asked = [random_inputs("lite_frame", 1 + seed % 3, seed) for seed in range(24)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda inputs: ours.infer("lite_frame", inputs), asked))
    for inputs, answer in zip(asked, answers, strict=True):
        assert_equal(answer, theirs.infer("lite_frame", inputs))


def test_only_what_is_wanted_is_answered(both: tuple[Triton, Triton]) -> None:
    ours, _ = both
    inputs = random_inputs("lite_frame", 2, seed=0)
    wanted = ours.infer("lite_frame", inputs, wanted=("keypoint_scores",))
    assert list(wanted) == ["keypoint_scores"]
    np.testing.assert_array_equal(wanted["keypoint_scores"], ours.infer("lite_frame", inputs)["keypoint_scores"])


@pytest.mark.parametrize(
    "image",
    [np.zeros((1, 10, 10, 3), np.uint8), np.zeros((1, *CROP), np.float32), np.zeros((33, *CROP), np.uint8)],
    ids=["size", "type", "rows"],
)
def test_a_wrong_tensor_is_an_error_and_harms_nobody(both: tuple[Triton, Triton], image: Array) -> None:
    ours, _ = both
    with pytest.raises(grpc.RpcError) as caught:
        ours.infer("lite_frame", {"image": image})
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert ours.infer("lite_frame", random_inputs("lite_frame", 1, seed=0))


def test_callers_who_leave_harm_nobody(both: tuple[Triton, Triton]) -> None:
    ours, _ = both
    inputs = random_inputs("lite_frame", 4, seed=0)

    def leave(_: int) -> bool:
        try:
            return bool(ours.infer("lite_frame", inputs, timeout=0.02))
        except grpc.RpcError as error:
            return bool(error.code() == grpc.StatusCode.DEADLINE_EXCEEDED)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(leave, range(40)))
    assert ours.infer("lite_frame", inputs)


def test_the_servers_statistics_tell_what_it_computed(both: tuple[Triton, Triton]) -> None:
    ours, _ = both
    rows = 32  # the largest batch: the gateway's own check of itself is never batched with it
    began = time.monotonic_ns()
    ours.infer("lite_clip", random_inputs("lite_clip", rows, seed=0))
    took_ns = time.monotonic_ns() - began

    def counted() -> list[Any]:
        return [batch for batch in ours.statistics("lite_clip").batch_stats if batch.batch_size == rows]

    assert wait_for(lambda: bool(counted()), 5)  # it is counted after the answer
    (batch,) = counted()
    assert batch.compute_infer.count == 1
    assert 0 < batch.compute_infer.ns < took_ns


def test_a_network_is_loaded_again_under_load_and_a_wrong_one_not_at_all(tmp_path: Path) -> None:
    repository = tmp_path / "models"
    shutil.copytree(REPOSITORY, repository)
    with native(model_repository=str(repository)) as (service, triton):
        inputs = random_inputs("lite_frame", 2, seed=0)
        expected, server, stop = triton.infer("lite_frame", inputs), server_of(service), False

        def keep_asking(_: int) -> int:
            asked = 0
            while not stop:
                assert_equal(triton.infer("lite_frame", inputs), expected)
                asked += 1
            return asked

        with ThreadPoolExecutor(3) as pool:
            asked = [pool.submit(keep_asking, i) for i in range(3)]
            count = triton.statistics("lite_frame").inference_count
            os.utime(repository / "lite_frame" / "1" / "model.onnx")
            # A network that was loaded again counts from the start.
            assert wait_for(lambda: triton.statistics("lite_frame").inference_count < count, 30)
            stop = True
        assert all(each.result() for each in asked)

        wrong = tmp_path / "wrong"
        shutil.copytree(repository / "lite_frame", wrong)
        config = (wrong / "config.pbtxt").read_text()
        (wrong / "config.pbtxt").write_text(config.replace('"lite_frame"', '"wrong"').replace("dims: 192", "dims: 96"))
        wrong.rename(repository / "wrong")
        (repository / "person").rename(tmp_path / "person")
        assert wait_for(lambda: not triton.is_ready("person"), 30)
        (tmp_path / "person").rename(repository / "person")
        assert wait_for(lambda: triton.is_ready("person"), 30)
        assert not triton.is_ready("wrong")
        assert_equal(triton.infer("lite_frame", inputs), expected)
        assert server_of(service) == server
