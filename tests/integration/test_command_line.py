"""The command `deephar` against a real service, as people and scripts use it: output, files, exit codes, terminals."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import httpx
import numpy as np
import pytest

from service.testing.running import ServiceProcess
from tests.command_line import PATIENCE_S, deephar, started
from tests.conftest import SAMPLES

PERSON, PEOPLE, VIDEO = SAMPLES / "person.jpg", SAMPLES / "people.jpg", SAMPLES / "jumping_jacks.mp4"
FRAMES = 100  # of the video
TWO_SECONDS = 50


@pytest.fixture(params=["grpc", "rest"])
def address(request: pytest.FixtureRequest, service: ServiceProcess) -> str:
    return service.grpc_address if request.param == "grpc" else service.url


@pytest.fixture
def grpc(service: ServiceProcess) -> dict[str, str]:
    """Variables that lead to gRPC."""
    return {"DEEPHAR_ADDRESS": service.grpc_address}


@pytest.fixture
def rest(service: ServiceProcess) -> dict[str, str]:
    """Variables that lead to REST."""
    return {"DEEPHAR_ADDRESS": service.url}


@pytest.fixture(scope="session")
def mpegts() -> bytes:
    """The video in a form that can be read from its beginning to its end."""
    file = io.BytesIO()
    with av.open(str(VIDEO)) as source, av.open(file, "w", format="mpegts") as target:
        stream = target.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for frame in source.decode(video=0):
            frame.pict_type = 0
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return file.getvalue()


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def frames_in(file: Path) -> list[Any]:
    with av.open(str(file)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_models(address: str) -> None:
    table = deephar("models", "--address", address)
    assert table.returncode == 0, table.stderr
    assert [row.split()[:3] for row in table.stdout.splitlines()] == [
        ["model", "version", "ready"],
        ["lite", "1", "yes"],
    ]
    (model,) = lines(deephar("models", "--json", "--address", address).stdout)
    assert (model["name"], model["ready"], model["layout"]["name"]) == ("lite", True, "pa16")


def test_pose_is_what_rest_answers(address: str, service: ServiceProcess) -> None:
    done = deephar("pose", PEOPLE, "--json", "--address", address)
    (answer,) = lines(done.stdout)
    expected = httpx.post(f"{service.url}/v1/pose", files={"image": PEOPLE.read_bytes()}).json()
    assert answer.pop("file") == str(PEOPLE)
    assert answer["people"] == expected["people"]
    assert answer.keys() == expected.keys()


def test_pose_as_a_table(address: str) -> None:
    done = deephar("pose", PERSON, "--address", address)
    assert done.returncode == 0, done.stderr
    head, _, who, titles, pelvis, *others = done.stdout.splitlines()
    assert head.startswith("1 person, 640 x 480 pixels, lite")
    assert who.startswith("person 1: score 0.9")
    assert titles.split() == ["keypoint", "x", "y", "z", "mm", "score"]
    assert pelvis.split()[0] == "pelvis"
    assert len(others) == 15
    assert "X mm" in deephar("pose", PERSON, "--camera", "1145,1145,320,240,4000", "--address", address).stdout


def test_a_failing_input_is_named_and_the_rest_goes_on(address: str, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    done = deephar("pose", tmp_path / "text.jpg", PERSON, tmp_path / "none.jpg", PEOPLE, "--json", "--address", address)
    assert done.returncode == 1
    assert [answer["file"] for answer in lines(done.stdout)] == [str(PERSON), str(PEOPLE)]
    told = done.stderr.splitlines()
    assert len(told) == 2
    assert told[0].startswith(f"deephar: {tmp_path / 'text.jpg'}: the bytes are not a picture")
    assert told[1] == f"deephar: {tmp_path / 'none.jpg'}: No such file or directory"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pose", PERSON, PEOPLE, "--model", "nix"), "there is no model 'nix'"),
        (("actions", VIDEO, "--top-k", "99"), "top_k must be"),
        (("pose", PERSON, "--layout", "nix"), "layout"),
    ],
)
def test_what_the_service_refuses(address: str, arguments: tuple[str | Path, ...], said: str) -> None:
    done = deephar(*arguments, "--address", address)
    assert done.returncode == 4
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_pictures_and_videos_on_stdin(address: str) -> None:
    with PERSON.open("rb") as picture:
        (pose,) = lines(deephar("pose", "-", "--json", "--address", address, stdin=picture).stdout)
    assert (pose["file"], len(pose["people"])) == ("stdin", 1)
    with VIDEO.open("rb") as video:
        (actions,) = lines(deephar("actions", "-", "--json", "--address", address, stdin=video).stdout)
    assert (actions["file"], actions["actions"][0]["label"]) == ("stdin", "jumping_jacks")


def test_drawn_pictures(address: str, tmp_path: Path) -> None:
    one = deephar("pose", PERSON, "-o", tmp_path / "drawn.png", "--address", address)
    assert (one.returncode, one.stderr) == (0, f"drawn: {tmp_path / 'drawn.png'}\n")
    many = deephar("pose", PERSON, PEOPLE, "-o", tmp_path / "all", "--json", "--address", address)
    assert many.returncode == 0, many.stderr
    assert len(lines(many.stdout)) == 2
    assert sorted(file.name for file in (tmp_path / "all").iterdir()) == ["people_pose.jpg", "person_pose.jpg"]
    drawn, source = cv2.imread(str(tmp_path / "drawn.png")), cv2.imread(str(PERSON))
    assert drawn is not None
    assert source is not None
    changed = np.abs(drawn.astype(int) - source).max(axis=2) > 0
    assert 0.001 < changed.mean() < 0.2


@pytest.mark.parametrize("target", ["nowhere/x.jpg", "/dev/full"], ids=["no folder", "disk full"])
def test_a_drawing_that_cannot_be_written(grpc: dict[str, str], target: str, tmp_path: Path) -> None:
    done = deephar("pose", PERSON, "-o", target, env=grpc, cwd=tmp_path)
    assert done.returncode == 1
    assert "there is no folder nowhere" in done.stderr or "No space left" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_full_disk_under_stdout(grpc: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = deephar("pose", PERSON, "--json", env=grpc, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, "deephar: No space left on device\n")


def test_formats_of_pictures(grpc: dict[str, str]) -> None:
    rows = list(csv.DictReader(io.StringIO(deephar("pose", PERSON, PEOPLE, "--csv", env=grpc).stdout)))
    assert {row["file"] for row in rows} == {str(PERSON), str(PEOPLE)}
    assert len(rows) == 5 * 16
    coco = json.loads(deephar("pose", PERSON, PEOPLE, "--coco", env=grpc).stdout)
    assert [image["file_name"] for image in coco["images"]] == [str(PERSON), str(PEOPLE)]
    assert len(coco["annotations"]) == 5
    assert len(coco["annotations"][0]["keypoints"]) == 17 * 3
    for name in ("openpose", "trc"):
        assert deephar("pose", PERSON, "--format", name, env=grpc).returncode == 0


def test_formats_of_videos(address: str) -> None:
    done = deephar("actions", VIDEO, "--all", "--format", "mot", "--address", address)
    assert done.returncode == 0, done.stderr
    assert [int(line.split(",")[0]) for line in done.stdout.splitlines()][-1] == FRAMES
    assert {line.split(",")[1] for line in done.stdout.splitlines()} == {"1"}
    coco = json.loads(deephar("actions", VIDEO, "--coco", "--address", address).stdout)
    assert len(coco["images"]) == FRAMES


def test_actions(address: str, service: ServiceProcess) -> None:
    table = deephar("actions", VIDEO, "--address", address)
    assert table.returncode == 0, table.stderr
    assert table.stderr == ""
    actions, segments = table.stdout.split("\n\n")
    assert [line.split()[0] for line in actions.splitlines()][:2] == ["action", "jumping_jacks"]
    assert segments.splitlines()[1].split()[:3] == ["0.00", "3.92", "jumping_jacks"]
    (answer,) = lines(deephar("actions", VIDEO, "--all", "--top-k", "2", "--json", "--address", address).stdout)
    expected = httpx.post(f"{service.url}/v1/actions?people=all&top_k=2", files={"video": VIDEO.read_bytes()}).json()
    assert answer["video"] == expected["video"]
    assert [action["label"] for action in answer["actions"]] == [action["label"] for action in expected["actions"]]
    assert answer["actions"][0]["score"] == pytest.approx(expected["actions"][0]["score"], abs=0.02)  # frames are JPEGs


def test_old_names(grpc: dict[str, str]) -> None:
    assert deephar("classify", VIDEO, env=grpc).stdout == deephar("actions", VIDEO, env=grpc).stdout
    assert (
        deephar("stream", VIDEO, env=grpc).stdout.splitlines()[-1].startswith("segment 0.00 s to 3.92 s: jumping_jacks")
    )


def test_an_annotated_video(address: str, tmp_path: Path) -> None:
    target = tmp_path / "drawn.mp4"
    done = deephar("actions", VIDEO, "-o", target, "--address", address)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"drawn: {target}\n")
    drawn, source = frames_in(target), frames_in(VIDEO)
    assert len(drawn) == len(source) == FRAMES
    changed = np.abs(drawn[60].astype(int) - source[60]).max(axis=2) > 60
    assert 0.002 < changed.mean() < 0.1
    assert [file.name for file in tmp_path.iterdir()] == ["drawn.mp4"]


def test_an_annotated_video_that_fails_leaves_what_was_there(address: str, tmp_path: Path) -> None:
    target = tmp_path / "drawn.mp4"
    target.write_bytes(b"before")
    assert deephar("actions", PERSON, "-o", target, "--address", address).returncode == 1
    assert target.read_bytes() == b"before"
    assert [file.name for file in tmp_path.iterdir()] == ["drawn.mp4"]


def test_live(address: str) -> None:
    done = deephar("live", VIDEO, "--top-k", "1", "--address", address)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert told[0].startswith("  0.00 s to   1.52 s  jumping_jacks 0.")
    assert told[-1].startswith("segment 0.00 s to 3.92 s: jumping_jacks 0.")
    events = lines(deephar("live", VIDEO, "--all", "--json", "--address", address).stdout)
    assert [event["event"] for event in events if event["event"] != "pose"] == ["started", *["action"] * 7, "segment"]
    assert sum(event["event"] == "pose" for event in events) > FRAMES // 4


def test_live_of_a_pipe_tells_while_it_is_open(grpc: dict[str, str], mpegts: bytes) -> None:
    process = started("live", "-", env=grpc, stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(mpegts)
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"  0.00 s to   1.52 s  jumping_jacks")
    assert process.poll() is None
    output, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, b"")
    assert output.splitlines()[-1].startswith(b"segment 0.00 s to 3.92 s: jumping_jacks")


def test_a_file_that_no_pipe_can_give(grpc: dict[str, str]) -> None:
    with subprocess.Popen(["cat", VIDEO], stdout=subprocess.PIPE) as reading:
        done = deephar("live", "-", env=grpc, stdin=reading.stdout)
    assert done.returncode == 1
    assert "MPEG-TS" in done.stderr


@pytest.mark.parametrize("command", ["live", "actions"])
@pytest.mark.parametrize("target", ["nowhere/x.mp4", "/dev/full"], ids=["no folder", "disk full"])
def test_a_video_that_cannot_be_written(address: str, command: str, target: str, tmp_path: Path) -> None:
    done = deephar(command, VIDEO, "-o", target, "--address", address, cwd=tmp_path)
    assert done.returncode == 1
    assert "there is no folder nowhere" in done.stderr or "No space left" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
def test_live_finishes_its_file_when_it_is_interrupted(
    ended_by: signal.Signals, grpc: dict[str, str], mpegts: bytes, tmp_path: Path
) -> None:
    target = tmp_path / "drawn.mp4"
    process = started("live", "-", "-o", target, env=grpc, stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(mpegts)
    process.stdin.flush()
    process.stdout.readline()
    process.send_signal(ended_by)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert errors.decode().split("\n") == [f"drawn: {target}", "", ""]
    assert len(frames_in(target)) > TWO_SECONDS // 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("models", "--json"),
        ("pose", PEOPLE, PERSON, PEOPLE),
        ("live", VIDEO, "--json"),
        ("actions", VIDEO),
        ("--help",),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_broken_pipe_is_quiet(arguments: tuple[str | Path, ...], grpc: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = deephar(*arguments, env=grpc, capture_output=False, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


class Terminal:
    """A terminal of 80 columns, and what was written on it."""

    def __init__(self) -> None:
        self._own, self.end = pty.openpty()
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.text = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                self.text += os.read(self._own, 4096).decode()
            except OSError:
                return

    def wait_for(self, text: str, times: int = 1) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.text.count(text) < times:
            assert time.monotonic() < deadline, self.text
            time.sleep(0.02)

    def close(self) -> None:
        os.close(self.end)
        self._reader.join(timeout=5)
        os.close(self._own)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


def test_progress_on_a_terminal(grpc: dict[str, str], terminal: Terminal) -> None:
    process = started("actions", VIDEO, env=grpc, stderr=terminal.end)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert output.startswith(b"action ")
    assert "jumping_jacks.mp4" in terminal.text
    assert f"/{FRAMES}" in terminal.text
    assert "frames/s" in terminal.text


def test_progress_of_an_upload(rest: dict[str, str], terminal: Terminal) -> None:
    process = started("actions", VIDEO, env=rest, stderr=terminal.end)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert "jumping_jacks.mp4: 00:0" in terminal.text


def test_top_for_machines(service: ServiceProcess, rest: dict[str, str]) -> None:
    watching = started("top", "--once", "--json", "--interval", "3", env=rest)
    time.sleep(1)  # it has read the metrics before
    for _ in range(3):
        httpx.post(f"{service.url}/v1/pose", files={"image": PERSON.read_bytes()}).raise_for_status()
    output, errors = watching.communicate(timeout=PATIENCE_S)
    assert (watching.returncode, errors) == (0, b"")
    load = json.loads(output)
    pictures = load["requests"]["pictures"]
    assert pictures["per_s"] == pytest.approx(1, abs=0.3)
    assert 0 < pictures["p50_ms"] <= pictures["p95_ms"]
    assert pictures["errors_per_s"] == 0
    assert load["models"] == {"lite:1": True, "person:1": True}
    assert list(load["triton"].values()) == [True]
    assert load["ready"]


def test_top_on_a_terminal_writes_in_place_until_interrupted(rest: dict[str, str], terminal: Terminal) -> None:
    process = started("top", "--interval", "0.2", env=rest, stdout=terminal.end)
    terminal.wait_for("requests/s", times=3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (130, b"\n")
    blocks = terminal.text.split("\x1b[")
    height = terminal.text.split("deephar-serve")[1].count("\n")
    assert any(block.startswith(f"{height}A") for block in blocks)


def test_top_where_metrics_are_not(grpc: dict[str, str], service: ServiceProcess) -> None:
    done = deephar("top", "--once", "--metrics-url", f"{service.url}/v1/models")
    assert done.returncode == 4
    assert "no metrics" in done.stderr
