"""The client against the service of the first release's commit: pictures, clips and streams, over gRPC and REST."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from deephar import Client
from deephar.errors import DeepharError, InvalidImage, UnknownModel
from deephar.events import ActionEvent, PoseEvent, SegmentEvent

from service.testing.running import ROOT, ServiceProcess, running_service
from tests.conftest import SAMPLES

COMMIT = "60f91b7"
VIDEO = SAMPLES / "jumping_jacks.mp4"


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Its service and its stubs, in this checkout's environments: its own code is as it was."""
    archived = subprocess.run(["git", "archive", COMMIT], cwd=ROOT, capture_output=True)
    if archived.returncode:
        pytest.skip(f"commit {COMMIT} is not in this clone: {archived.stderr.decode().strip()}")
    checkout = tmp_path_factory.mktemp("older")
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as archive:
        archive.extractall(checkout, filter="data")
    for name in (".venv", ".venv-triton"):
        (checkout / name).symlink_to(ROOT / name)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(checkout / "clients" / "python" / "src"))
        with running_service(checkout=checkout) as service:
            stubs = Path(f"/proc/{service.process.pid}/environ").read_text()
            assert str(checkout) in stubs
            yield service


def test_a_pose(older: ServiceProcess) -> None:
    picture = SAMPLES / "person.jpg"
    for address in (older.grpc_address, older.url):
        with Client(address) as client:
            assert [model.name for model in client.models()] == ["lite"]
            (person,) = client.pose(picture, layout="coco17").people
            assert person.score > 0.5
            assert len(person.keypoints) == 17
            (boxed,) = client.pose(picture, boxes=[(225, 70, 190, 345)], effort=None).people
            assert boxed.keypoints[0].z is not None
            with pytest.raises(InvalidImage):
                client.pose(b"no picture")
            with pytest.raises(UnknownModel):
                client.pose(picture, model="none")


def test_a_clip(older: ServiceProcess) -> None:
    for address in (older.grpc_address, older.url):
        with Client(address) as client:
            answer = client.classify(VIDEO, top_k=3)
        assert answer.actions[0].label == "jumping_jacks"
        assert answer.segments[0].label == "jumping_jacks"
        assert (answer.video.frames, answer.effort) == (100, None)


def test_a_stream(older: ServiceProcess) -> None:
    """There were no credits and no `started` then."""
    with Client(older.grpc_address) as client:
        events = list(client.stream(VIDEO, people="all"))
    assert sum(isinstance(event, PoseEvent) for event in events) == 40
    assert [event.actions[0].label for event in events if isinstance(event, ActionEvent)] == ["jumping_jacks"] * 7
    (segment,) = [event for event in events if isinstance(event, SegmentEvent)]
    assert (segment.label, segment.start_s) == ("jumping_jacks", 0.0)


def test_a_stream_over_rest_was_not_there(older: ServiceProcess) -> None:
    with Client(older.url) as client, pytest.raises(DeepharError, match="HTTP 403") as caught:
        list(client.stream(VIDEO))
    assert caught.value.code == "http_403"
