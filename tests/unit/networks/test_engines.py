"""What the builder of engines writes is what the gateway reads: both know the names of the fields."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from models.tensorrt_engine import progress
from service.networks import engines
from service.networks.engines import engine_being_built


def test_what_is_being_built_is_read(tmp_path: Path) -> None:
    assert progress.FILE == engines.FILE
    assert progress.SIGN_OF_LIFE_S < engines.LONGEST_SILENCE_S / 2
    assert engine_being_built(tmp_path) is None
    with progress.Progress(tmp_path, wanted=3) as building:
        assert engine_being_built(tmp_path) is None
        building.finish()  # one that is kept
        building.begin("lite_frame")
        building.step("Building Engine", 0.25)
        read = engine_being_built(tmp_path)
        assert read is not None
        assert (read.building, read.step, read.done, read.built, read.wanted) == (
            "lite_frame",
            "Building Engine",
            0.25,
            1,
            3,
        )
        assert read.seconds() < 60
    assert engine_being_built(tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_a_builder_that_works_for_long_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SIGN_OF_LIFE_S", 0.05)
    with progress.Progress(tmp_path, wanted=1) as building:
        building.begin("lite_frame")
        first = (tmp_path / progress.FILE).stat().st_mtime_ns
        until = time.monotonic() + 5
        while (tmp_path / progress.FILE).stat().st_mtime_ns == first and time.monotonic() < until:
            time.sleep(0.01)
        assert (tmp_path / progress.FILE).stat().st_mtime_ns > first


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "no json", '{"building": "x", "built": -1, "wanted": 1, "began_s": 0}']
)
def test_what_cannot_be_read_is_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / engines.FILE).write_text(content)
    assert engine_being_built(tmp_path) is None
    assert engine_being_built(tmp_path / "nowhere") is None


def test_a_builder_that_was_killed_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / engines.FILE
    file.write_text(json.dumps({"building": "x", "built": 0, "wanted": 1, "began_s": time.time()}))
    assert engine_being_built(tmp_path) is not None
    os.utime(file, (time.time() - 60, time.time() - 60))
    assert engine_being_built(tmp_path) is None
