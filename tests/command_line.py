"""The command `deephar` as a process of its own, as people and scripts run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

DEEPHAR = (sys.executable, "-m", "deephar")
PATIENCE_S = 120.0


def environment(**variables: str) -> dict[str, str]:
    """This process' variables without those of deephar, and these."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DEEPHAR_")} | variables


def deephar(*arguments: str | Path, env: dict[str, str] | None = None, **how: Any) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end.

    Args:
        arguments: Of the command.
        env: Variables of deephar.
        how: As for `subprocess.run`.
    """
    options = {"capture_output": True, "text": True, "timeout": PATIENCE_S} | how
    return subprocess.run([*DEEPHAR, *arguments], env=environment(**env or {}), **options)


def started(*arguments: str | Path, env: dict[str, str] | None = None, **how: Any) -> subprocess.Popen[Any]:
    """Starts the command; its stdout and stderr are pipes, unless `how` says otherwise."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | how
    return subprocess.Popen([*DEEPHAR, *arguments], env=environment(**env or {}), **options)
