"""The clip network's data: no torch needed, but it belongs to the models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.lite import clip_data
from models.lite.clip_data import NUM_FRAMES, Windows
from models.lite.frame_errors import FrameErrors


def some_windows(count: int = 6) -> Windows:
    rng = np.random.default_rng(2)
    joints = (200 + 40 * rng.normal(size=(count, 1, 13, 2)) + 5 * rng.normal(size=(count, NUM_FRAMES, 13, 2))).astype(
        np.float32
    )
    known = np.ones((count, NUM_FRAMES, 13), bool)
    return Windows(joints, known, known, clip_data.torso_size(joints))


def test_features_and_boxes_hold_the_joints() -> None:
    """What the clip network undoes: box corner plus feature times box size are the pixels again."""
    windows = some_windows()
    features, boxes = clip_data.annotated(windows)
    points = features[..., :32].reshape(6, NUM_FRAMES, 16, 2) * boxes[:, :, None, 2:] + boxes[:, :, None, :2]
    assert points[:, :, 3:] == pytest.approx(windows.joints, abs=0.05)
    assert features.shape == (6, NUM_FRAMES, 48)


def test_no_severity_means_no_errors() -> None:
    windows = some_windows()
    _, _, right = FrameErrors(np.random.default_rng(0)).apply(windows, np.zeros(6, np.float32))
    assert right == pytest.approx(np.ones(6))


def test_more_severity_means_more_errors_and_lower_scores() -> None:
    windows = some_windows(200)
    shares, scores = [], []
    for severity in (0.15, 0.5, 0.9):
        features, boxes, right = FrameErrors(np.random.default_rng(0)).apply(
            windows, np.full(200, severity, np.float32)
        )
        assert np.isfinite(features).all()
        assert np.isfinite(boxes).all()
        shares.append(right.mean())
        scores.append(features[..., 35:].mean())
    assert shares == sorted(shares, reverse=True)
    assert scores == sorted(scores, reverse=True)
    assert shares[0] > 0.8 > 0.6 > shares[2]


@given(st.integers(1, 200), st.integers(1, 16))
def test_every_clip_has_windows_inside_it(length: int, hop: int) -> None:
    windows = clip_data.clip_windows(length, hop)
    assert windows.shape[1] == NUM_FRAMES
    assert windows.min() == 0
    assert windows.max() < length
    assert (np.diff(windows, axis=1) >= 0).all()


def test_penn_actions_official_split(shared_data: Path) -> None:
    assert len(clip_data.load_clips(shared_data, train=True)) == 1258
    test = clip_data.load_clips(shared_data, train=False)
    assert len(test) == 1068
    # The person's own left is at larger x in a jumping jack seen from the front.
    jacks = np.flatnonzero(test.labels == clip_data.ACTIONS.index("jumping_jacks"))
    frames = np.concatenate([np.arange(test.offsets[i], test.offsets[i + 1]) for i in jacks])
    both = test.visible[frames][:, [1, 2]].all(1)
    right, left = test.joints[frames][both][:, 1, 0], test.joints[frames][both][:, 2, 0]
    assert (left > right).mean() > 0.95
