"""What cannot be trained is told in a line, and nothing is written; no service is needed to find that out."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.cli import main
from models.files.folders import repository_folder

Failing = Callable[..., str]


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens, though the port is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    for network in ("lite_frame", "lite_clip", "person"):
        (folder / network).symlink_to(repository_folder() / network)
    return folder


@pytest.fixture
def failing(
    tmp_path: Path,
    repository: Path,
    nobody: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Failing:
    """Runs the command on a CSV; returns what it says after it has failed and left nothing."""
    monkeypatch.setenv("DEEPHAR_CACHE", str(tmp_path / "cache"))
    videos, labels, out = tmp_path / "videos", tmp_path / "labels.csv", tmp_path / "report"
    videos.mkdir()
    for name in ("a.avi", "b.avi", "c.avi"):
        writer = cv2.VideoWriter(str(videos / name), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
        for grey in range(3):
            writer.write(np.full((48, 64, 3), 80 * grey, np.uint8))
        writer.release()
    (videos / "broken.mp4").write_bytes(b"no video" * 100)
    (videos / "cut.avi").write_bytes((videos / "a.avi").read_bytes()[:60])

    def run(text: str, name: str = "mine", *more: str) -> str:
        labels.write_text(text)
        before = sorted(repository.iterdir())
        given = ["--videos", str(videos), "--labels", str(labels), "--name", name, "--address", nobody]
        given += ["--repository", str(repository), "--out", str(out), *more]
        assert main(["train-actions", *given]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("deephar-models: ")
        assert sorted(repository.iterdir()) == before
        assert not out.exists()
        return said.err

    return run


def test_without_a_service_it_says_how_to_start_one(failing: Failing) -> None:
    said = failing("file,label\na.avi,wave\nb.avi,wave\nc.avi,none\n")
    assert "make serve" in said
    assert said.count("\n") == 1


def test_videos_that_cannot_be_read_are_named_at_once(failing: Failing) -> None:
    said = failing("file,label\nbroken.mp4,wave\nb.avi,wave\ncut.avi,none\n")
    assert "broken.mp4" in said
    assert "cut.avi" in said
    assert "b.avi" not in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("file,label\na.avi,wave\nb.avi,wave\n", "nothing to tell apart: label clips of two actions"),
        ("file,label\na.avi,none\nb.avi,none\n", "nothing to tell apart"),
        ("file,label\na.avi,wave\nb.avi,none\n", "all clips of 'wave' are of one video or group"),
        ("file,label\nd.avi,wave\nb.avi,none\n", "line 2: there is no file"),
    ],
)
def test_labels_that_cannot_be_used_are_told(failing: Failing, text: str, told: str) -> None:
    assert told in failing(text)


def test_names_and_folders_that_are_taken_are_told(failing: Failing, repository: Path, tmp_path: Path) -> None:
    labels = "file,label\na.avi,wave\nb.avi,wave\nc.avi,none\n"
    assert "choose another --name" in failing(labels, "lite")
    assert "cannot be named 'a b'" in failing(labels, "a b")
    (repository / "mine_frame").mkdir()
    assert "has a model mine already" in failing(labels)
    (tmp_path / "taken").mkdir()
    assert "taken is there already" in failing(labels, "other", "--out", str(tmp_path / "taken"))
    (tmp_path / "taken" / "thesis.tex").touch()
    assert "such as thesis.tex" in failing(labels, "other", "--out", str(tmp_path / "taken"), "--replace")


def test_a_repository_without_lite_is_told(failing: Failing, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    text = "file,label\na.avi,wave\nb.avi,wave\nc.avi,none\n"
    assert "has no model lite" in failing(text, "mine", "--repository", str(tmp_path / "empty"))
