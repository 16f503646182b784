"""What the command line says of files that it cannot use, and of services that are not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.testing.ports import free_loopback_port
from tests.command_line import deephar
from tests.conftest import SAMPLES
from tests.videos import sound_only


@pytest.fixture
def nowhere() -> str:
    """An address where nobody listens."""
    return f"127.0.0.1:{free_loopback_port()}"


def said_of(file: Path | str, command: str, nowhere: str) -> str:
    done = deephar(command, "--address", nowhere, file)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("deephar: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("command", ["actions", "live", "classify", "stream"])
def test_a_picture_is_no_video(command: str, nowhere: str) -> None:
    assert "is a picture; ask for its pose" in said_of(SAMPLES / "person.jpg", command, nowhere)


@pytest.mark.parametrize("command", ["pose", "actions", "live"])
def test_a_file_that_is_not_there(command: str, nowhere: str, tmp_path: Path) -> None:
    assert f"{tmp_path / 'none'}: No such file" in said_of(tmp_path / "none", command, nowhere)


@pytest.mark.parametrize("command", ["pose", "actions", "live"])
def test_a_folder(command: str, nowhere: str, tmp_path: Path) -> None:
    assert "Is a directory" in said_of(tmp_path, command, nowhere)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(nowhere: str, tmp_path: Path) -> None:
    file = tmp_path / "secret.jpg"
    file.write_bytes(b"?")
    file.chmod(0)
    assert "Permission denied" in said_of(file, "pose", nowhere)


def test_an_empty_file(nowhere: str, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    assert "empty.jpg is empty" in said_of(tmp_path / "empty.jpg", "pose", nowhere)


def test_bytes_that_are_no_video(nowhere: str, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video at all")
    for command in ("actions", "live"):
        assert "no video that FFmpeg can decode" in said_of(tmp_path / "text.mp4", command, nowhere)


def test_sound_without_pictures(nowhere: str, tmp_path: Path) -> None:
    (tmp_path / "sound.mp4").write_bytes(sound_only())
    assert "no pictures in it" in said_of(tmp_path / "sound.mp4", "actions", nowhere)


@pytest.mark.parametrize("scheme", ["", "http://"])
@pytest.mark.parametrize(
    "arguments", [("models",), ("pose", SAMPLES / "person.jpg"), ("live", SAMPLES / "jumping_jacks.mp4")]
)
def test_a_service_that_is_not_there(arguments: tuple[str, ...], scheme: str, nowhere: str) -> None:
    done = deephar(*arguments, "--address", f"{scheme}{nowhere}")
    assert done.returncode == 3
    assert nowhere in done.stderr
    assert "make serve" in done.stderr
    assert "docker compose up" in done.stderr
    assert "DEEPHAR_ADDRESS" in done.stderr
    assert done.stderr.count("\n") == 1


def test_of_several_inputs_none_is_tried_where_nobody_answers(nowhere: str) -> None:
    done = deephar("pose", SAMPLES / "person.jpg", SAMPLES / "people.jpg", "--address", nowhere)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1


def test_the_address_comes_from_the_option_or_the_environment(nowhere: str) -> None:
    other = f"127.0.0.1:{free_loopback_port()}"
    assert nowhere in deephar("models", env={"DEEPHAR_ADDRESS": nowhere}).stderr
    assert other in deephar("models", "--address", other, env={"DEEPHAR_ADDRESS": nowhere}).stderr
    port = nowhere.rpartition(":")[2]
    assert f"localhost:{port}" in deephar("models", env={"DEEPHAR_GRPC_PORT": port}).stderr


def test_metrics_that_are_not_there(nowhere: str) -> None:
    for arguments in (("--address", f"http://{nowhere}"), ("--metrics-url", f"http://{nowhere}/metrics")):
        done = deephar("top", "--once", *arguments)
        assert done.returncode == 3
        assert f"http://{nowhere}" in done.stderr
        assert "--metrics-url" in done.stderr


def test_an_authority_that_is_not_there(tmp_path: Path) -> None:
    done = deephar("models", "--ca", tmp_path / "none")
    assert done.returncode == 2
    assert "does not exist" in done.stderr
