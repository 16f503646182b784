"""`deephar batch` against a real service: whatever ends it, it goes on, nothing twice and nothing lost."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import httpx
import numpy as np
import pytest

from service.testing.ports import free_loopback_port
from service.testing.running import ServiceProcess, running_service
from tests.conftest import SAMPLES

GOOD, BAD = 60, 3
FRAMES = 100  # of samples/jumping_jacks.mp4


@pytest.fixture(scope="module")
def running() -> Iterator[ServiceProcess]:
    with running_service() as service:
        yield service


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small pictures that all differ, in two folders, and files that are none."""
    folder = tmp_path_factory.mktemp("pictures")
    person = cv2.resize(cv2.imread(str(SAMPLES / "person.jpg")), (320, 240))
    for number in range(GOOD):
        file = folder / ("even" if number % 2 == 0 else "odd") / f"{number:02}.jpg"
        file.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(file), np.roll(person, number, axis=1))
    for number in range(BAD):
        (folder / f"bad{number}.png").write_bytes(b"no picture" * number)
    (folder / "notes.txt").write_text("left alone")
    return folder


def batch(source: Path | str, output: Path, address: str, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "deephar", "batch", str(source), "-o", str(output), "--address", address, *options]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)


def run(source: Path | str, output: Path, address: str, *options: str) -> tuple[int, str]:
    process = batch(source, output, address, *options)
    _, said = process.communicate(timeout=120)
    return process.returncode, said


def contents(output: Path) -> dict[str, Any]:
    """Returns what a batch has made, without what differs from run to run: times."""
    files = {}
    for file in sorted(output.rglob("*")):
        if file.is_file() and ".batch" not in file.parts:
            lines = [json.loads(line) for line in file.read_text().splitlines()] if file.suffix == ".jsonl" else []
            for line in lines:
                line.pop("timing_ms", None)
            files[str(file.relative_to(output))] = lines
    return files


def results_in(output: Path) -> list[Path]:
    return list((output / "results").rglob("*.jsonl"))


@pytest.fixture(scope="module")
def undisturbed(running: ServiceProcess, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    output = tmp_path_factory.mktemp("undisturbed")
    status, said = run(pictures, output, running.grpc_address)
    assert status == 1, said
    assert "60 done, 3 failed" in said
    assert "--retry-errors tries them again" in said
    return contents(output)


def test_every_input_has_a_result_or_an_error(undisturbed: dict[str, Any]) -> None:
    errors = undisturbed["errors.jsonl"]
    assert [error["file"] for error in errors] == [f"bad{number}.png" for number in range(BAD)]
    assert {error["code"] for error in errors} == {"invalid_image"}
    results = [name for name in undisturbed if name.startswith("results/")]
    assert len(results) == GOOD
    (answer,) = undisturbed["results/even/00.jpg.jsonl"]
    assert answer["file"] == "even/00.jpg"
    assert answer["image"] == {"width": 320, "height": 240}
    assert len(answer["people"]) == 1


def test_killed_five_times_it_ends_as_if_undisturbed(
    running: ServiceProcess, pictures: Path, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    chance = random.Random()
    for least in sorted(chance.sample(range(GOOD - 10), 5)):
        process = batch(pictures, tmp_path, running.grpc_address, "--in-flight", "2")
        while process.poll() is None and len(results_in(tmp_path)) < least:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    status, said = run(pictures, tmp_path, running.grpc_address)
    assert status == 1, said
    assert contents(tmp_path) == undisturbed
    assert list((tmp_path / ".batch/unfinished").iterdir()) == []


def test_ctrl_c_finishes_what_is_in_work_and_says_how_to_go_on(
    running: ServiceProcess, pictures: Path, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    process = batch(pictures, tmp_path, running.grpc_address, "--in-flight", "1")
    while not (tmp_path / "results").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command goes on with the rest" in said
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.jpg.jsonl")}
    assert 0 < len(before) < GOOD
    _, said = run(pictures, tmp_path, running.grpc_address)
    assert "were done before" in said
    assert contents(tmp_path) == undisturbed
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_a_second_batch_in_the_folder_and_other_options_are_refused(
    running: ServiceProcess, pictures: Path, tmp_path: Path
) -> None:
    process = batch(pictures, tmp_path, running.grpc_address, "--in-flight", "1")
    while not (tmp_path / "results").exists():
        time.sleep(0.01)
    status, said = run(pictures, tmp_path, running.grpc_address)
    assert (status, "another batch is running here" in said) == (2, True)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    status, said = run(pictures, tmp_path, running.grpc_address, "--layout", "coco17")
    assert (status, 'layout was "" and is "coco17"' in said) == (2, True)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video, and a file that is none."""
    folder = tmp_path_factory.mktemp("videos")
    shutil.copy(SAMPLES / "jumping_jacks.mp4", folder / "jumping_jacks.mp4")
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


def frames_received(service: ServiceProcess) -> float:
    lines = httpx.get(f"{service.url}/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith('deephar_frames_total{outcome="received"'))


def numbers(value: Any, place: str = "") -> dict[str, Any]:
    """Returns an answer without any nesting, which `pytest.approx` does not take."""
    if not isinstance(value, dict | list):
        return {place: value}
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    return {name: number for key, part in parts for name, number in numbers(part, f"{place}/{key}").items()}


@pytest.mark.parametrize(("scheme", "streamed"), [("grpc", FRAMES), ("http", 0)])
def test_a_video_is_sent_once_for_its_events_its_answer_and_the_drawn_one(
    running: ServiceProcess, videos: Path, tmp_path: Path, scheme: str, streamed: int
) -> None:
    address = running.grpc_address if scheme == "grpc" else running.url
    assert run(videos, tmp_path / "plain", address)[0] == 1
    before = frames_received(running)
    status, said = run(videos, tmp_path / "events", address, "--events", "--annotated", "--top-k", "3")
    assert (status, "1 done, 1 failed" in said) == (1, True), said
    assert frames_received(running) - before == streamed
    results = contents(tmp_path / "plain"), contents(tmp_path / "events")
    assert [error["file"] for result in results for error in result["errors.jsonl"]] == ["broken.mp4"] * 2
    (plain,), (*events, summed) = (result["results/jumping_jacks.mp4.jsonl"] for result in results)
    assert {event["event"] for event in events} >= {"started", "pose", "action", "segment"}
    assert {len(event["actions"]) for event in events if event["event"] == "action"} == {3}
    assert summed["video"] == plain["video"]
    assert summed["video"]["width"] == 640
    for person in (plain, *plain["people"]):
        del person["actions"][3:]
    assert numbers(summed) == pytest.approx(numbers(plain), abs=1e-4)
    with av.open(str(tmp_path / "events/annotated/jumping_jacks.mp4.mp4")) as drawn:
        assert sum(1 for _ in drawn.decode(video=0)) == FRAMES
    assert list((tmp_path / "events/.batch/unfinished").iterdir()) == []


def test_over_http_pictures_have_the_same_results(
    running: ServiceProcess, pictures: Path, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    status, said = run(pictures, tmp_path, running.url)
    assert status == 1, said
    over_http = contents(tmp_path)
    assert over_http.keys() == undisturbed.keys()
    assert numbers(list(over_http.values())) == pytest.approx(numbers(list(undisturbed.values())), abs=1e-3)


def test_a_list_of_pictures_and_a_video_is_drawn_and_written_as_tables(running: ServiceProcess, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    names = f"{SAMPLES / 'person.jpg'}\n{SAMPLES / 'jumping_jacks.mp4'}\n"
    output = tmp_path / "out"
    command = [sys.executable, "-m", "deephar", "batch", "-", "-o", str(output), "--address", running.grpc_address]
    options = ["--annotated", "--events", "--parquet", "--csv", "--format", "mot"]
    done = subprocess.run([*command, *options], input=names, capture_output=True, text=True, cwd=SAMPLES, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (output / "results/jumping_jacks.mp4.jsonl").read_text().splitlines()]
    assert {line["event"] for line in lines} >= {"started", "pose", "action", "answer"}
    assert lines[-1]["actions"][0]["label"] == "jumping_jacks"
    drawn = cv2.imread(str(output / "annotated/person.jpg.jpg"))
    assert drawn is not None
    assert drawn.shape == (480, 640, 3)
    assert pq.read_table(output / "parquet/people").num_rows > 30
    labels = pq.read_table(output / "parquet/actions").column("label").to_pylist()
    assert "jumping_jacks" in labels
    assert (output / "mot/jumping_jacks.mp4.txt").read_text().count("\n") > 30
    assert (output / "pictures.csv").read_text().count("person.jpg") >= 14


def test_an_unknown_model_and_an_absent_service_end_it_at_once(
    running: ServiceProcess, pictures: Path, tmp_path: Path
) -> None:
    status, said = run(pictures, tmp_path / "a", running.grpc_address, "--model", "nobody")
    assert (status, "nobody" in said) == (4, True)
    status, said = run(pictures, tmp_path / "b", f"127.0.0.1:{free_loopback_port()}")
    assert (status, "DEEPHAR_ADDRESS" in said) == (3, True)


def test_a_service_that_restarts_on_the_way_is_waited_for(
    pictures: Path, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    with running_service() as service:
        ports = {"http_port": str(service.http_port), "grpc_port": str(service.grpc_port)}
        process = batch(pictures, tmp_path, service.grpc_address, "--in-flight", "2")
        while not (tmp_path / "results").exists():
            time.sleep(0.01)
        service.stop(signal.SIGKILL)
        assert process.poll() is None
        environment = os.environ | {f"DEEPHAR_{name.upper()}": port for name, port in ports.items()}
        again = subprocess.Popen([sys.executable, "-m", "service"], env=environment, stdout=subprocess.DEVNULL)
        try:
            _, said = process.communicate(timeout=120)
        finally:
            again.terminate()
            again.wait(30)
    assert process.returncode == 1
    assert "waiting for it" in said
    assert contents(tmp_path) == undisturbed
