"""docs/reference is what the schemas make of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "docs/site/reference.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_reference_tells_every_option_and_message() -> None:
    rest, grpc, websocket = (
        (ROOT / "docs" / "reference" / f"{name}.md").read_text() for name in ("rest", "grpc", "websocket")
    )
    assert all(f"| `{option}` |" in rest for option in ("min_score", "deadline_ms", "format", "timestamps_ms"))
    assert all(f"### {message}\n" in grpc for message in ("Keypoint", "StreamConfig", "FrameError"))
    assert "| `StreamVideo` | stream of [StreamVideoRequest](#streamvideorequest) |" in grpc
    assert all(f"| `{name}` |" in websocket for name in ("drop_policy", "want_keypoints", "received_frames", "lag_ms"))
