"""A folder takes another's place, or nothing happens."""

from __future__ import annotations

import shutil
from pathlib import Path


def put_in_place(new: Path, target: Path) -> None:
    """Renames `new`, which lies in the same file system, to `target`. What was there goes; it stays if that fails."""
    old = new.with_name(f"{new.name}.old")
    if target.exists():
        target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
