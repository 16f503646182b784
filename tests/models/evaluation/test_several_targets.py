"""`deephar-models evaluate` with several targets: what cannot be asked is told before the first one has computed."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import cli
from tests.models.datasets import made_mpii
from tests.models.evaluation import made_models


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ("torch,tensorflow", "'tensorflow' is no target"),
        ("torch,", "'' is no target"),
        ("torch,onnx", "there is no model repository"),
        ("torch,torch", "names one target twice"),
    ],
)
def test_a_target_that_cannot_be_asked_is_told_before_the_first_is_evaluated(
    targets: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_mpii.make(tmp_path / "mpii")
    made_models.make(tmp_path / "cache", "mpii@1")
    monkeypatch.setenv("DEEPHAR_CACHE", str(tmp_path / "cache"))
    words = ["evaluate", "mpii", "--model", "mpii@1", "--data", str(tmp_path / "mpii"), "--target", targets]
    assert cli.main([*words, "--repository", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
