"""Replaces a folder as a whole."""

from __future__ import annotations

import shutil
from pathlib import Path


def put_in_place(new: Path, target: Path) -> None:
    """Replaces the folder `target` by `new`, in the same file system. On an error the old one is restored."""
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
