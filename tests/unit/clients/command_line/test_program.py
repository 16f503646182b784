"""The program itself: its help, its start, completion, and what it says of wrong options."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from deephar import __version__
from deephar.cli.completion import completion
from deephar.cli.program import COMMANDS
from deephar.cli.program import deephar as group

from tests.command_line import DEEPHAR, deephar, environment


def test_alone_it_shows_help_with_examples() -> None:
    alone, asked = deephar(), deephar("--help")
    assert alone.returncode == asked.returncode == 0
    assert alone.stdout == asked.stdout
    assert "deephar pose photo.jpg" in alone.stdout
    listed = re.findall(r"^  (\w+) {2,}", alone.stdout.partition("Commands:")[2], re.MULTILINE)
    assert listed == [name for name, entry in COMMANDS.items() if entry.help]
    assert "classify" not in alone.stdout


def test_the_version() -> None:
    assert deephar("--version").stdout == f"deephar {__version__}\n"


@pytest.mark.parametrize("module", ["grpc", "httpx", "numpy", "av", "cv2", "tqdm", "tabulate"])
def test_help_loads_no_library_of_the_commands(module: str) -> None:
    probe = "import sys; from deephar.cli.program import deephar; deephar(['-h'], standalone_mode=False)\n"
    probe += f"assert {module!r} not in sys.modules"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [name for name, entry in COMMANDS.items() if entry.help])
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(group, [command, "--help"])
    assert result.exit_code == 0, result.output
    assert COMMANDS[command].help
    assert len(result.output.splitlines()) > 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("poze",), "No such command 'poze'"),
        (("pose",), "Missing argument"),
        (("pose", "--box", "1,2,3", "x.jpg"), "X,Y,W,H"),
        (("pose", "--camera", "1,2,3,4,x", "x.jpg"), "FX,FY,CX,CY,DEPTH"),
        (("pose", "--max-people", "-1", "x.jpg"), "-1"),
        (("pose", "--min-score", "2", "x.jpg"), "2"),
        (("pose", "--effort", "most", "x.jpg"), "fast"),
        (("pose", "--format", "xml", "x.jpg"), "openpose"),
        (("pose", "--format", "mot", "x.jpg"), "deephar actions"),
        (("pose", "-o", "x.gif", "x.jpg"), ".jpg"),
        (("pose", "-o", __file__, "x.jpg", "y.jpg"), "is a file"),
        (("pose", "-o", "drawn", "a/x.jpg", "b/x.jpg"), "several inputs"),
        (("actions", "-o", "x.avi", "x.mp4"), ".mp4"),
        (("live", "0", "-o", "x.avi"), ".mp4"),
        (("actions", "--coco", "x.mp4", "y.mp4"), "one video"),
        (("models", "--address", "ftp://x"), "is no address"),
        (("completion", "tcsh"), "zsh"),
    ],
)
def test_wrong_use_is_told(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = deephar(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["weights", "export", "engine"])
def test_what_makes_models_is_another_program(command: str) -> None:
    done = deephar(command, "list", "--all")
    assert done.returncode == 2
    assert f"deephar-models {command}" in done.stderr
    assert command not in deephar("--help").stdout.split("Examples")[0]


def completed(line: str, folder: Path) -> list[str]:
    """What bash offers for the last word of a line, by the script that the command prints."""
    (folder / "deephar").write_text(f'#!/bin/sh\nexec {DEEPHAR[0]} -m deephar "$@"\n')
    (folder / "deephar").chmod(0o755)
    words = line.split(" ")
    script = f"""
        set -e
        eval "$(deephar completion bash)"
        COMP_WORDS=({" ".join(repr(word) for word in words)})
        COMP_CWORD={len(words) - 1}
        $(complete -p deephar | sed 's/.*-F \\([^ ]*\\) .*/\\1/') deephar 2>/dev/null || true
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    variables = environment(PATH=f"{folder}:{environment()['PATH']}")
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, env=variables, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_bash_completes(tmp_path: Path) -> None:
    assert completed("deephar mo", tmp_path) == ["models"]
    assert {"pose", "actions", "live", "batch", "models", "top"} <= set(completed("deephar ", tmp_path))
    assert completed("deephar pose --cam", tmp_path) == ["--camera"]
    assert completed("deephar live --effort b", tmp_path) == ["balanced", "best"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str) -> None:
    done = CliRunner().invoke(completion, [shell], parent=None)
    assert done.exit_code == 0
    assert "_DEEPHAR_COMPLETE" in done.output
