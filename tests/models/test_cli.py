"""The program `deephar-models`: its commands, what it says where it cannot run, and its exit status."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models import cli

ROOT = Path(__file__).resolve().parents[2]


def test_help_names_every_command_and_loads_none(capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import sys; from models import cli; cli.main(['--help']); "
        "print([m for m in ('torch', 'onnx', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for command, (_, about) in cli.COMMANDS.items():
        assert f"  {command} " in done.stdout
        assert about.split()[0] in done.stdout


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "--help"]) == 0
    assert f"Usage: deephar-models {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["evaluation"],
        ["export"],
        ["export", "lite"],
        ["engine", "--precision", "int8"],
        ["data"],
        ["data", "check", "imagenet", "."],
        ["data", "boxes", "mpii", "--data", "."],
        ["evaluate", "mpii"],
        ["train", "mpii"],
        ["train-actions"],
    ],
)
def test_wrong_usage_is_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    assert "Usage: deephar-models" in capsys.readouterr().err


def test_an_environment_without_the_packages_points_to_the_one_that_has_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "models.export.command", raising=False)
    monkeypatch.delitem(sys.modules, "models.deephar.networks", raising=False)
    assert cli.main(["export", "mpii"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("deephar-models: export needs the Python package torch, which is not in this environment.")
    assert "make models, then .venv-models/bin/deephar-models export" in told


def test_a_package_that_is_missed_only_while_a_command_runs_is_told_alike(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['scipy'] = None; from models import cli; "
        f"sys.exit(cli.main(['data', 'check', 'mpii', {str(tmp_path)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("deephar-models: data needs the Python package scipy, which is not in this")
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_is_status_130_without_a_trace() -> None:
    code = (
        "import sys, time; from models import cli; from models.weights import command; "
        "command.table = lambda cache: (print('begun', flush=True), time.sleep(60)); "
        "sys.exit(cli.main(['weights', 'list']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert told.strip() == "deephar-models: stopped"
