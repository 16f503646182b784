from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.people.smoothing import KeypointSmoother

RNG = np.random.default_rng(3)
BODY_PX = RNG.uniform(0, 200, (16, 2)).astype(np.float32)
HIGH_SCORES = np.full(16, 0.9, np.float32)


def smoothed(frames: np.ndarray, fps: float) -> np.ndarray:
    smoother = KeypointSmoother()
    return np.stack([smoother.smooth(frame.astype(np.float32), HIGH_SCORES, i / fps) for i, frame in enumerate(frames)])


@given(st.sampled_from([10, 24, 30, 60]))
def test_a_still_body_has_less_jitter(fps: float) -> None:
    noisy = BODY_PX + RNG.normal(size=(60, 16, 2)) * 2
    raw, smooth = (np.abs(np.diff(frames[10:], axis=0)).mean() for frames in (noisy, smoothed(noisy, fps)))
    assert smooth < 0.6 * raw


def test_a_fast_body_is_followed_without_much_delay() -> None:
    travel = np.linspace(0, 400, 30)[:, None, None]  # two body sizes in a second
    true = BODY_PX + travel * np.array([1.0, 0.0])
    late = true[10:, :, 0] - smoothed(true, 30)[10:, :, 0]
    assert np.abs(late).max() < 0.06 * 200


@given(st.floats(0.01, 10), st.floats(0, 1000))
def test_the_answer_scales_and_moves_with_the_picture(scale: float, shift: float) -> None:
    frames = 50 + BODY_PX * np.linspace(1, 1.5, 10)[:, None, None] * np.ones((10, 16, 2))
    scaled = smoothed(frames * 10 * scale + shift, 30)
    assert np.allclose(scaled, smoothed(frames * 10, 30) * scale + shift, rtol=1e-3, atol=1e-2 * max(1.0, scale))


def test_a_joint_of_low_score_moves_less_than_one_of_high_score() -> None:
    smoother = KeypointSmoother()
    smoother.smooth(BODY_PX, HIGH_SCORES, 0.0)
    scores = HIGH_SCORES.copy()
    scores[3] = 0.05
    moved = smoother.smooth(BODY_PX + 20, scores, 1 / 30) - BODY_PX
    assert moved[3].max() < 0.3 * moved[4].min()


def test_after_a_gap_nothing_of_before_is_left() -> None:
    smoother = KeypointSmoother()
    smoother.smooth(BODY_PX, HIGH_SCORES, 0.0)
    assert np.allclose(smoother.smooth(BODY_PX + 500, HIGH_SCORES, 5.0), BODY_PX + 500)


def test_depth_is_smoothed_with_x_and_y() -> None:
    smoother = KeypointSmoother()
    still = np.concatenate([BODY_PX, np.zeros((16, 1), np.float32)], axis=1)
    smoother.smooth(still, HIGH_SCORES, 0.0)
    jump = still.copy()
    jump[:, 2] = 100
    assert 0 < smoother.smooth(jump, HIGH_SCORES, 1 / 30)[:, 2].max() < 50
