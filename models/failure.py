"""How the commands of `deephar-models` say that they failed."""

from __future__ import annotations

from pathlib import Path

import click


def failed(text: str) -> int:
    """Says on stderr what failed. Returns the exit status."""
    click.echo(f"deephar-models: {text}", err=True)
    return 1


def text_of(error: OSError, place: Path | str) -> str:
    """The file that an error of the system names, or else the place where it was met, and why."""
    return f"{error.filename or place}: {error.strerror or error}"
