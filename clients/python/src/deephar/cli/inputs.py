"""Inputs of commands: files, and `-` for stdin."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deephar.cli.exits import Failure

STDIN = "-"


def name_of(source: str) -> str:
    """Returns what an input is called in tables and lines."""
    return "stdin" if source == STDIN else source


def stem_of(source: str) -> str:
    """Returns the beginning of the names of files that are made of an input."""
    return "stdin" if source == STDIN else Path(source).stem


def content_of(source: str) -> bytes:
    """Returns the bytes of a file or of stdin.

    Raises:
        Failure: There are none.
        OSError: They cannot be read.
    """
    content = sys.stdin.buffer.read() if source == STDIN else Path(source).read_bytes()
    if not content:
        raise Failure(f"{name_of(source)} is empty")
    return content


@contextmanager
def as_file(source: str) -> Iterator[Path]:
    """Gives a file: of stdin a temporary copy, since most videos cannot be read from their beginning to their end.

    Raises:
        Failure: Nothing came from stdin.
        OSError: There is no such file, or no room for the copy.
    """
    if source != STDIN:
        with Path(source).open("rb"):  # errors of the file itself, before a service is asked
            pass
        yield Path(source)
        return
    with tempfile.NamedTemporaryFile(prefix="deephar-") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        if not copy.tell():
            raise Failure("stdin is empty")
        copy.flush()
        yield Path(copy.name)
