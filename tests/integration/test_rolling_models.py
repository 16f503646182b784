"""Models change in the repository while requests run: none fails, and what is wrong is refused and told."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.testing.running import ROOT, ServiceProcess, running_service
from tests.integration.asking import asking
from tests.integration.waiting import wait_for

REPOSITORY = ROOT / "model_repository"
CHANGED_S = 15.0  # for a change to be taken up

pytestmark = pytest.mark.faults  # a service of its own


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models: `lite`, and `other` with the same networks."""
    folder = tmp_path_factory.mktemp("models") / "repository"
    shutil.copytree(REPOSITORY, folder)
    add_other(folder)
    return folder


@pytest.fixture(scope="module")
def rolling(repository: Path) -> Iterator[ServiceProcess]:
    with running_service(model_repository=str(repository)) as service:
        assert wait_for(lambda: bool(state_of(service, "other")["ready"]), CHANGED_S)
        yield service


def add_other(repository: Path) -> None:
    for network in ("clip", "frame"):
        stage = repository.parent / f"other_{network}"
        shutil.copytree(REPOSITORY / f"lite_{network}", stage)
        config = stage / "config.pbtxt"
        config.write_text(re.sub(r'lite_(clip|frame)|\\"model\\": \\"lite\\"', _as_other, config.read_text()))
        stage.rename(repository / stage.name)


def _as_other(found: re.Match[str]) -> str:
    return found.group().replace("lite", "other")


def state_of(service: ServiceProcess, name: str) -> dict[str, Any]:
    models = httpx.get(f"{service.url}/readyz", timeout=10).json()["models"]
    return next((model for model in models if model["name"] == name), {"name": name, "ready": None, "version": ""})


def line(service: ServiceProcess, start: int, text: str) -> list[str]:
    return [line for line in service.log.read_text()[start:].splitlines() if text in line]


def test_models_change_under_load_and_no_request_fails(
    rolling: ServiceProcess, repository: Path, person_jpeg: bytes, clip_mp4: bytes
) -> None:
    start = len(rolling.log.read_text())

    def told(text: str, times: int = 1) -> bool:
        return wait_for(lambda: len(line(rolling, start, text)) >= times, CHANGED_S)

    with asking(rolling, person_jpeg, 2, clip_mp4, least=3, params={"model": "other"}) as asked:
        frame, clip = repository / "other_frame", repository / "other_clip"
        # A new version of both networks.
        shutil.copytree(clip / "1", clip / "2")
        shutil.copytree(frame / "1", frame / "2")
        assert told("model other is ready, version 2"), rolling.log.read_text()
        # A corrupted one; alone it waits for the clip network's.
        (frame / "3").mkdir()
        (frame / "3" / "model.onnx").write_bytes(b"no network")
        assert told("other_frame: version 3 waits"), rolling.log.read_text()
        shutil.copytree(clip / "1", clip / "3")
        assert told("other_frame is refused"), rolling.log.read_text()
        assert state_of(rolling, "other")["version"] == "2"
        shutil.rmtree(frame / "3")
        # One replaced in place by half a file, which stays so for a while.
        whole = (frame / "2" / "model.onnx").read_bytes()
        (frame / "2" / "model.onnx").write_bytes(whole[: len(whole) // 2])
        assert told("other_frame is refused", 2), rolling.log.read_text()
        (frame / "2" / "model.onnx").write_bytes(whole)
        assert told("other_frame is loaded, version 2", 2), rolling.log.read_text()
        # One that is copied slowly.
        (frame / "3").mkdir()
        with (frame / "3" / "model.onnx").open("wb") as slow:
            for at in range(0, len(whole), len(whole) // 20 + 1):
                slow.write(whole[at : at + len(whole) // 20 + 1])
                slow.flush()
                time.sleep(0.1)
        assert told("model other is ready, version 3"), rolling.log.read_text()
        # A bad card, and then the good one again.
        config = (frame / "config.pbtxt").read_text()
        (frame / "config.pbtxt").write_text(config.replace("pa16", "no_layout"))
        assert told("other_frame is refused", 3), rolling.log.read_text()
        (frame / "config.pbtxt").write_text(config)
        # A folder that is none of ours.
        (repository / "strange").mkdir()
        assert told("strange is refused: its name ends neither in _frame"), rolling.log.read_text()
        assert asked.answers() == {(200, "")}, rolling.log.read_text()
        # Both are removed: what runs is answered, and what comes later told.
        shutil.rmtree(frame)
        shutil.rmtree(clip)
        assert wait_for(lambda: (404, "unknown_model") in asked.answers(), CHANGED_S)
    assert asked.answers() == {(200, ""), (404, "unknown_model")}, (asked.answers(), rolling.log.read_text())
    assert told("other_frame is unloaded"), rolling.log.read_text()
    assert len(line(rolling, start, "model other is gone from the repository")) == 1
    assert "Traceback" not in rolling.log.read_text()
    add_other(repository)
    assert wait_for(lambda: bool(state_of(rolling, "other")["ready"]), CHANGED_S), rolling.log.read_text()


def test_a_version_that_cannot_be_loaded_does_not_keep_a_new_triton_from_the_one_before(
    rolling: ServiceProcess, repository: Path, person_jpeg: bytes
) -> None:
    start = len(rolling.log.read_text())
    shutil.copytree(repository / "other_clip" / "1", repository / "other_clip" / "2")
    (repository / "other_frame" / "2").mkdir()
    (repository / "other_frame" / "2" / "model.onnx").write_bytes(b"no network")
    assert wait_for(lambda: bool(line(rolling, start, "other_frame is refused")), CHANGED_S)
    (server,) = [p for p in rolling.triton_pids() if Path(f"/proc/{p}/comm").read_text() == "tritonserver\n"]
    os.kill(server, signal.SIGKILL)
    assert wait_for(lambda: bool(line(rolling, start, "other_frame is loaded in its older version 1")), 30)

    def answers() -> bool:
        answer = httpx.post(f"{rolling.url}/v1/pose", params={"model": "other"}, content=person_jpeg, timeout=30)
        return answer.status_code == 200

    assert wait_for(answers, CHANGED_S), rolling.log.read_text()
    assert state_of(rolling, "other")["version"] == "1"
