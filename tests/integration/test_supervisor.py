"""What happens when processes die, ports collide or the repository changes: always with the real Triton."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import httpx
import pytest

from service.testing.running import ROOT, ServiceProcess, processes_with, running_service
from tests.grpc_calls import GrpcCalls
from tests.integration.left_behind import left_of_service
from tests.integration.waiting import wait_for

REPOSITORY = ROOT / "model_repository"


def pose(service: ServiceProcess, image: bytes) -> httpx.Response:
    return httpx.post(f"{service.url}/v1/pose", files={"image": image}, timeout=30)


def test_while_triton_is_away_both_transports_say_unavailable(person_jpeg: bytes) -> None:
    with running_service(wait=False, triton_url="127.0.0.1:9") as service:
        assert wait_for(lambda: _answers(service))
        assert httpx.get(f"{service.url}/healthz").status_code == 200
        assert httpx.get(f"{service.url}/readyz").status_code == 503
        assert (pose(service, person_jpeg).status_code, pose(service, person_jpeg).json()["code"]) == (
            503,
            "unavailable",
        )
        with GrpcCalls(service.grpc_address) as client, pytest.raises(grpc.RpcError) as caught:
            client.pose(person_jpeg)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert service.triton_pids() == []


def _answers(service: ServiceProcess) -> bool:
    try:
        return httpx.get(f"{service.url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_ctrl_c_while_starting_leaves_nothing_behind() -> None:
    with running_service(wait=False) as service:
        assert wait_for(lambda: bool(service.triton_pids()))
        service.stop(signal.SIGINT)
        assert wait_for(lambda: not left_of_service(service), 10), left_of_service(service)


def test_two_services_live_side_by_side_and_share_a_triton_if_told_to(
    service: ServiceProcess, person_jpeg: bytes
) -> None:
    people = pose(service, person_jpeg).json()["people"]
    with running_service() as other:
        assert pose(other, person_jpeg).json()["people"] == people
        other.stop()
    with running_service(triton_url=service.triton_address()) as guest:
        assert guest.triton_pids() == []
        assert pose(guest, person_jpeg).json()["people"] == people
    assert pose(service, person_jpeg).status_code == 200


def test_a_taken_port_is_said_plainly(service: ServiceProcess) -> None:
    environment = os.environ | {"DEEPHAR_HTTP_PORT": "1", "DEEPHAR_GRPC_PORT": str(service.grpc_port)}
    done = subprocess.run(
        [sys.executable, "-m", "service"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30
    )
    assert done.returncode != 0
    assert "DEEPHAR_GRPC_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_said_plainly() -> None:
    environment = os.environ | {"DEEPHAR_HTTP_PORT": "eighty"}
    done = subprocess.run(
        [sys.executable, "-m", "service"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert "DEEPHAR_HTTP_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_adding_a_model_is_adding_folders_and_a_broken_one_harms_nobody(tmp_path: Path, person_jpeg: bytes) -> None:
    repository = tmp_path / "models"
    shutil.copytree(REPOSITORY, repository)
    with running_service(model_repository=str(repository)) as service:
        broken = repository / "broken_frame"
        shutil.copytree(repository / "lite_frame", broken)
        config = (broken / "config.pbtxt").read_text()
        (broken / "config.pbtxt").write_text(config.replace("lite", "broken"))
        (broken / "1" / "model.onnx").write_bytes(b"not a network")
        for network in ("frame", "clip"):
            config = (repository / f"lite_{network}" / "config.pbtxt").read_text()
            # Beside the repository first, then in whole: Triton looks every two seconds.
            shutil.copytree(repository / f"lite_{network}", tmp_path / f"twin_{network}")
            (tmp_path / f"twin_{network}" / "config.pbtxt").write_text(config.replace("lite", "twin"))
            (tmp_path / f"twin_{network}").rename(repository / f"twin_{network}")

        def ready() -> set[str]:
            models = httpx.get(f"{service.url}/v1/models").json()["models"]
            return {model["name"] for model in models if model["ready"]}

        assert wait_for(lambda: ready() == {"lite", "twin"}, 30), ready()
        answer = httpx.post(f"{service.url}/v1/pose", files={"image": person_jpeg}, data={"model": "twin"}).json()
        assert answer["model"] == "twin"
        assert answer["people"] == pose(service, person_jpeg).json()["people"]
        shutil.rmtree(repository / "twin_frame")
        assert wait_for(lambda: ready() == {"lite"}, 30)
        assert pose(service, person_jpeg).status_code == 200


def test_processes_are_found_by_their_command_line() -> None:
    """The tests above would pass on nothing if this search found nothing."""
    assert os.getpid() in processes_with("python")
