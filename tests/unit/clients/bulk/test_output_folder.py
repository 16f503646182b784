"""Results that are whole or not there, one batch at a time, and the options that a folder is of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from deephar.bulk.error_list import ErrorList
from deephar.bulk.output_folder import OtherBatch, OutputFolder

OPTIONS = {"model": "lite", "root": "/photos"}


@pytest.fixture
def output(tmp_path: Path) -> Iterator[OutputFolder]:
    output = OutputFolder(tmp_path / "out")
    with output.owned(OPTIONS):
        yield output


def test_a_result_is_there_as_a_whole(output: OutputFolder) -> None:
    assert not output.has_result("a/b.jpg")
    output.write(output.result_of("a/b.jpg"), b'{"file":"a/b.jpg"}\n')
    assert output.has_result("a/b.jpg")
    assert (output.folder / "results/a/b.jpg.jsonl").read_bytes() == b'{"file":"a/b.jpg"}\n'


@pytest.mark.parametrize("content", [b"", b'{"file": ', b"\0" * 4096])
def test_what_a_power_cut_left_is_no_result(output: OutputFolder, content: bytes) -> None:
    output.write(output.result_of("a.jpg"), content)
    assert not output.has_result("a.jpg")


def test_unfinished_files_of_a_killed_batch_are_removed(tmp_path: Path) -> None:
    killed = (
        "import os, sys; from pathlib import Path; from deephar.bulk.output_folder import OutputFolder\n"
        f"output = OutputFolder(Path(sys.argv[1]))\nwith output.owned({OPTIONS!r}):\n"
        "    with output.unfinished() as path:\n        Path(path).write_text('half'); os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", killed, str(tmp_path)]).returncode == -9
    assert [file.read_text() for file in (tmp_path / ".batch/unfinished").iterdir()] == ["half"]
    with OutputFolder(tmp_path).owned(OPTIONS):
        assert list((tmp_path / ".batch/unfinished").iterdir()) == []


def test_two_batches_at_once_are_refused(output: OutputFolder) -> None:
    with (
        pytest.raises(OtherBatch, match=rf"another batch is running here \(process {os.getpid()} on"),
        OutputFolder(output.folder).owned(OPTIONS),
    ):
        pass


def test_other_options_are_refused_and_named(tmp_path: Path) -> None:
    output = OutputFolder(tmp_path)
    for _ in range(2):
        with output.owned(OPTIONS):
            pass
    with (
        pytest.raises(OtherBatch, match=r'model was "lite" and is "penn"; new was null and is 1\. Take the same'),
        output.owned(OPTIONS | {"model": "penn", "new": 1}),
    ):
        pass


def test_errors_are_listed_once_and_sorted(output: OutputFolder) -> None:
    errors = ErrorList(output)
    for name in ("b.jpg", "a.jpg", "b.jpg"):
        errors.add(name, "invalid_image", "no picture")
    errors.close()
    lines = [json.loads(line) for line in (output.folder / "errors.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == ["a.jpg", "b.jpg"]
    assert lines[0] == {"file": "a.jpg", "code": "invalid_image", "detail": "no picture"}


def test_a_line_that_was_cut_off_is_forgotten(output: OutputFolder) -> None:
    file = output.folder / "errors.jsonl"
    whole = b'{"file": "a.jpg", "code": "x", "detail": ""}\n'
    file.write_bytes(whole + b'{"file": "b.jpg", "co')
    errors = ErrorList(output)
    assert "a.jpg" in errors
    assert "b.jpg" not in errors
    errors.add("b.jpg", "x", "")
    errors.close()
    assert file.read_bytes() == whole + whole.replace(b"a.jpg", b"b.jpg")


def test_without_errors_there_is_no_list(output: OutputFolder) -> None:
    ErrorList(output).close()
    assert not (output.folder / "errors.jsonl").exists()


def test_errors_can_be_forgotten_to_be_tried_again(output: OutputFolder) -> None:
    errors = ErrorList(output)
    errors.add("a.jpg", "internal", "")
    errors.close()
    errors = ErrorList(output, forget=True)
    assert "a.jpg" not in errors
    assert len(errors) == 0
    errors.close()
