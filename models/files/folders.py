"""The default folders of the commands."""

from __future__ import annotations

import os
from pathlib import Path


def repository_folder() -> Path:
    """The service's model repository: $DEEPHAR_MODEL_REPOSITORY, else the one of this checkout."""
    own = os.environ.get("DEEPHAR_MODEL_REPOSITORY")
    return Path(own).absolute() if own else Path(__file__).resolve().parent.parent.parent / "model_repository"


def cache_folder() -> Path:
    """Where weights are kept: $DEEPHAR_CACHE, else $XDG_CACHE_HOME/deephar, else ~/.cache/deephar."""
    own = os.environ.get("DEEPHAR_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG base directory specification has relative paths ignored.
    return (xdg if xdg.is_absolute() else Path.home() / ".cache") / "deephar"
