"""`deephar-models evaluate` on tiny data sets with networks of random weights, cut after their first block."""

from __future__ import annotations

import errno
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from models import cli
from models.evaluation.journal import Journal, Row
from models.evaluation.protocols.protocol import Protocol
from tests.models.datasets import made_mpii, made_ntu
from tests.models.evaluation import made_models

PEOPLE = 7  # in the tiny MPII
VOLATILE = ("seconds",)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def mpii(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "mpii"
    made_mpii.make(folder)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    made_models.make(folder, "mpii@1")
    return folder


@pytest.fixture(autouse=True)
def _settings(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPHAR_CACHE", str(cache))
    monkeypatch.setattr(Protocol, "align", 2)


def evaluate(data: Path, out: Path, *more: str) -> int:
    return cli.main(["evaluate", "mpii", "--model", "mpii@1", "--data", str(data), "--out", str(out), *more])


def recorded(out: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((out / "record.json").read_text())
    return document


def lasting(out: Path) -> dict[str, Any]:
    """The record without what differs from run to run."""
    return {name: value for name, value in recorded(out).items() if name not in VOLATILE}


@pytest.fixture(scope="module")
def whole(mpii: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of an evaluation that nothing stopped."""
    out = tmp_path_factory.mktemp("out") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPHAR_CACHE", str(cache))
        patch.setattr(Protocol, "align", 2)
        assert evaluate(mpii, out, "--batch", "2") == 0
    return out


def test_record_table_and_plots_are_written(whole: Path) -> None:
    record = recorded(whole)
    assert (record["dataset"], record["model"], record["target"]) == ("mpii", "mpii@1", "torch")
    assert record["samples"] == record["samples_of_split"] == PEOPLE
    assert record["settings"] == {"split": "val", "views": "single"}
    assert record["model_sha256"] == f"{6:064x}"
    assert len(record["data_fingerprint"]) == 64
    assert {"deephar-serve", "python", "torch"} <= record["software"].keys()
    assert record["seconds"] > 0
    pckh = record["figures"][0]
    assert pckh["name"] == "PCKh@0.5"
    for counting in ("original", "strict"):
        assert 0 <= pckh[counting]["low"] <= pckh[counting]["value"] <= pckh[counting]["high"] <= 100
    assert record["plots"]
    assert all((whole / plot).read_bytes().startswith(b"\x89PNG") for plot in record["plots"])
    page = (whole / "table.md").read_text()
    assert "Settings: split val, views single." in page
    assert "| PCKh@0.5 | - |" in page  # nothing is published of a cut network
    assert not any("block" in part["name"] for part in record["parts"])  # there is but one
    assert "leaves out the joints outside of the crop" in page
    assert not list(whole.glob(".*"))  # what is written aside


def test_a_stopped_evaluation_goes_on_with_equal_results(whole: Path, mpii: Path, tmp_path: Path) -> None:
    journal = (whole / "journal.jsonl").read_bytes()
    lines = journal.splitlines(keepends=True)
    (tmp_path / "journal.jsonl").write_bytes(b"".join(lines[:6]) + lines[6][:100])  # killed within the sixth person
    assert evaluate(mpii, tmp_path, "--batch", "2") == 0
    assert lasting(tmp_path) == lasting(whole)
    assert (tmp_path / "table.md").read_text() == (whole / "table.md").read_text()
    again = (tmp_path / "journal.jsonl").read_bytes().splitlines()
    assert [entry.partition(b'"seconds"')[0] for entry in again] == [
        entry.partition(b'"seconds"')[0] for entry in journal.splitlines()
    ]


def test_a_finished_evaluation_is_not_made_again(whole: Path, mpii: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = lasting(whole)
    monkeypatch.setattr(Journal, "add", lambda *_: pytest.fail("a person was asked for again"))
    assert evaluate(mpii, whole) == 0
    assert lasting(whole) == before


def test_ctrl_c_ends_with_130_and_keeps_what_is_done(
    mpii: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add = Journal.add

    def interrupted(journal: Journal, row: Row) -> None:
        add(journal, row)
        if len(journal.rows) == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Journal, "add", interrupted)
    assert evaluate(mpii, tmp_path) == 130
    assert "stopped" in capsys.readouterr().err
    assert len((tmp_path / "journal.jsonl").read_text().splitlines()) == 1 + 3
    assert not (tmp_path / "record.json").exists()


def test_what_begins_anew_has_no_record_until_it_is_done(
    mpii: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(mpii, tmp_path, "--limit", "1") == 0
    capsys.readouterr()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Journal, "add", full)
    assert evaluate(mpii, tmp_path, "--limit", "1", "--again") == 1
    assert f"{tmp_path}: No space left on device" in capsys.readouterr().err
    assert not (tmp_path / "record.json").exists()
    assert not (tmp_path / "table.md").exists()


def test_a_first_look_is_a_part_of_the_whole(whole: Path, mpii: Path, tmp_path: Path) -> None:
    assert evaluate(mpii, tmp_path, "--limit", "3", "--batch", "2") == 0
    assert recorded(tmp_path)["samples"] == 3
    assert "3 of 7 samples: only a part" in (tmp_path / "table.md").read_text()
    assert evaluate(mpii, tmp_path, "--batch", "2") == 0
    assert lasting(tmp_path) == lasting(whole)


def test_a_folder_of_another_evaluation_is_refused(whole: Path, mpii: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (whole / "journal.jsonl").read_bytes()
    assert evaluate(mpii, whole, "--split", "train") == 1
    said = capsys.readouterr().err
    assert "has another evaluation: its settings" in said
    assert "the same command goes on" not in said  # it would not
    assert (whole / "journal.jsonl").read_bytes() == before


def test_a_missing_picture_ends_it_and_the_rest_follows(
    mpii: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = mpii / "images" / "1000000004.jpg"
    aside = picture.rename(tmp_path / "aside.jpg")
    out = tmp_path / "out"
    assert evaluate(mpii, out, "--batch", "2") == 1
    said = capsys.readouterr().err
    assert picture.name in said
    assert "the same command goes on" in said
    assert not (out / "record.json").exists()
    aside.rename(picture)
    assert evaluate(mpii, out, "--batch", "2") == 0
    assert lasting(out) == lasting(whole)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "nowhere"], "nowhere is no folder"),
        (["--data", "."], "annotations.mat"),
        (["--model", "mpii@9"], "mpii has 8 prediction blocks"),
        (["--model", "nobody"], "no network nobody"),
        (["--model", "penn"], "the weights of penn are not imported"),
        (["--split", "minival"], "mpii has no split minival, but train"),
        (["--boxes", "image"], "--boxes is for penn, ntu, lsp and lspet"),
        (["--target", "nonsense"], "'nonsense' is no target"),
        (["--target", "torch,nonsense"], "'nonsense' is no target"),
    ],
)
def test_mistakes_are_told_in_a_line_and_nothing_is_written(
    arguments: list[str],
    said: str,
    mpii: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert evaluate(mpii, tmp_path / "out", *arguments) == 1
    text = capsys.readouterr().err
    assert text.startswith("deephar-models: ")
    assert said in text
    assert not list(tmp_path.iterdir())


def test_wrong_usage_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "imagenet", "--model", "mpii", "--data", "."]) == 2
    assert cli.main(["evaluate", "mpii"]) == 2
    capsys.readouterr()


def test_actions_have_a_confusion_matrix_and_short_sequences_are_said(tmp_path: Path, cache: Path) -> None:
    made_models.make(cache, "ntu@2")
    made_ntu.make(tmp_path / "ntu", ids=["S001C001P003R001A008"], frames=20, size=(160, 90))
    out = tmp_path / "out"
    command = ["evaluate", "ntu", "--model", "ntu@2", "--data", str(tmp_path / "ntu"), "--out", str(out)]
    assert cli.main(command) == 0
    record = recorded(out)
    assert record["settings"] == {
        "split": "test", "boxes": "annotated", "subjects": "cross-subject",
        "frames": 8, "subsampling": 4, "every": 2, "multi": True,
    }  # fmt: skip
    assert record["counts"] == {"failed": 0, "without a clip": 1}
    multi = next(figure for figure in record["figures"] if figure["name"] == "top-1, multi-clip")
    assert (multi["original"]["value"], multi["strict"]["value"]) == (100, 0)
    assert record["confusion"]["counts"][7][-1] == 1  # of the action, without an answer
    assert "confusion.png" in record["plots"]
    assert "under 32 frames after every second one was dropped" in (out / "table.md").read_text()
