"""Writes a file as a whole: it has its old content or its new one, whenever the program ends."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(target: Path, content: bytes | memoryview) -> None:
    """Writes `content` aside and renames it to `target`. On an error the old file stays and nothing else is left."""
    new = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with new.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def remove_halves(target: Path) -> None:
    """Removes what programs that were killed while they wrote `target` have left."""
    for half in target.parent.glob(f".{target.name}.*"):
        half.unlink(missing_ok=True)
