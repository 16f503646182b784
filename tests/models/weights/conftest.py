from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where made weight files are written, once for all tests."""
    return tmp_path_factory.mktemp("made")
