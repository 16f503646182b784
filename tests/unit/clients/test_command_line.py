"""What the command line says of files that it cannot use, before any service is asked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from deephar import cli

from tests.videos import sound_only

SAMPLES = Path(__file__).parents[3] / "samples"


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    file = tmp_path / "sound.mp4"
    file.write_bytes(sound_only())
    return file


@pytest.fixture
def text(tmp_path: Path) -> Path:
    file = tmp_path / "text.mp4"
    file.write_text("no video at all")
    return file


def said_of(file: Path, monkeypatch: pytest.MonkeyPatch, command: str = "classify") -> str:
    return said(monkeypatch, command, "--address", "localhost:9", str(file))


def said(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["deephar", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return str(stopped.value)


def test_a_picture_is_no_video(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is a picture" in said_of(SAMPLES / "person.jpg", monkeypatch)


def test_a_file_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for command in ("pose", "classify", "stream"):
        assert "No such file" in said_of(tmp_path / "none.mp4", monkeypatch, command)


def test_bytes_that_are_no_video(monkeypatch: pytest.MonkeyPatch, text: Path) -> None:
    assert "no video that FFmpeg can decode" in said_of(text, monkeypatch, "stream")


def test_sound_without_pictures(monkeypatch: pytest.MonkeyPatch, sound: Path) -> None:
    assert "no pictures in it" in said_of(sound, monkeypatch)


def test_the_address_comes_from_the_option_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPHAR_ADDRESS", "127.0.0.1:9")
    assert "127.0.0.1:9: " in said(monkeypatch, "models")
    assert "127.0.0.1:7: " in said(monkeypatch, "models", "--address", "127.0.0.1:7")
