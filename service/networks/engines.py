"""How far the engines for a GPU are, from the file that their builder writes beside them."""

from __future__ import annotations

import time
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

FILE = "building.json"  # in the folder of the engines; also written in models.tensorrt_engine.progress
LONGEST_SILENCE_S = 30.0  # its builder writes it every few seconds, as long as it runs


class BuildingEngine(BaseModel):
    """The file: what its builder does."""

    building: str = Field(description="name of the network")
    step: str = Field("", max_length=200)
    done: float | None = Field(None, ge=0, le=1)
    built: int = Field(ge=0)
    wanted: int = Field(ge=0)
    began_s: float = Field(description="UNIX time")

    def seconds(self) -> float:
        """Returns for how long this engine has been built."""
        return round(max(0.0, time.time() - self.began_s), 1)


def engine_being_built(engines: Path) -> BuildingEngine | None:
    """Returns what the builder does; None where there is none, or it has ended. Blocks for a moment.

    Args:
        engines: The folder of the engines.
    """
    file = engines / FILE
    try:
        if abs(time.time() - file.stat().st_mtime) > LONGEST_SILENCE_S:
            return None
        return BuildingEngine.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None
