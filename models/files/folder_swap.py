"""Replaces folders as a whole."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
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


def put_together(names: Sequence[str], new: Path, parent: Path) -> None:
    """Replaces the folders of these names in `parent` by those in `new`, in this order: all, or on an error none.

    Args:
        names: Of the folders.
        new: In the same file system. The old ones are moved to it, and go with it.
        parent: Where they are put.
    """
    with ExitStack() as undo:
        for name in names:
            target, old = parent / name, new / f"{name}.old"
            if target.exists():
                target.rename(old)
                undo.callback(old.rename, target)
            (new / name).rename(target)
            undo.callback(target.rename, new / name)
        undo.pop_all()
