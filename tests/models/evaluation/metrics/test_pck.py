from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.evaluation.metrics.pck import pck, pck_curve, pck_torso, pckh, pckh_auc, torso_size_px
from models.protocol.joints import PA16, PENN, indices
from tests.models.evaluation.metrics.vectors import MEASURES, annotated

TRUTH, PREDICTED, HEADS = (MEASURES[f"pckh_in_{name}"] for name in ("true", "pred", "head"))
VALID = annotated(TRUTH)
LSP14 = (
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "neck",
    "head",
)

points = arrays(np.float64, (5, 16, 2), elements=st.floats(-200, 200))
masks = arrays(np.bool_, (5, 16))
lengths = arrays(np.float64, 5, elements=st.floats(1, 100))


@pytest.mark.parametrize(("threshold", "score"), MEASURES["pckh_out"].tolist())
def test_pckh_is_that_of_the_original(threshold: float, score: float) -> None:
    assert pckh(PREDICTED, TRUTH, HEADS, VALID, threshold, joints=PA16).mean == pytest.approx(score, rel=1e-12)


def test_pelvis_and_thorax_count_only_when_asked_for() -> None:
    per_joint = pckh(PREDICTED, TRUTH, HEADS, VALID, joints=PA16).column_means
    assert np.isnan(per_joint[:2]).all()
    assert np.isfinite(per_joint[2:]).all()
    everything = pckh(PREDICTED, TRUTH, HEADS, VALID, joints=PA16, leave_out=())
    assert everything.counts.sum() == VALID.sum()
    assert np.array_equal(everything.column_means[2:], per_joint[2:])


def test_the_total_is_over_joints_and_not_a_mean_of_joints() -> None:
    truth, heads = np.zeros((2, 16, 2)), np.ones(2)
    predicted = truth + np.array([0.4, 0])
    predicted[:, 3] = 9
    valid = np.zeros((2, 16), bool)
    valid[0, 3] = valid[:, 4] = True
    found = pckh(predicted, truth, heads, valid, joints=PA16)
    assert found.mean == pytest.approx(2 / 3)
    assert found.column_means[[3, 4]].tolist() == [0, 1]


def test_a_distance_of_just_the_threshold_is_a_hit_and_no_prediction_is_a_miss() -> None:
    predicted = np.array([[[5.0, 0], [5.1, 0], [np.nan, np.nan]]])
    hits = pck(predicted, np.zeros((1, 3, 2)), [10], np.ones((1, 3), bool), 0.5)
    assert hits.sums.tolist() == [[1, 0, 0]]
    assert hits.counts.tolist() == [[1, 1, 1]]


@given(points, points, masks, lengths, st.floats(0, 3), st.floats(0, 3))
def test_pck_grows_with_the_threshold(
    predicted: np.ndarray, truth: np.ndarray, valid: np.ndarray, heads: np.ndarray, one: float, other: float
) -> None:
    low, high = (pck(predicted, truth, heads, valid, threshold) for threshold in sorted((one, other)))
    assert (low.sums <= high.sums).all()
    assert (low.counts == high.counts).all()


@given(points, points, masks, lengths, st.floats(0.1, 10), arrays(np.float64, 2, elements=st.floats(-50, 50)))
def test_pckh_has_no_unit_and_no_origin(
    predicted: np.ndarray, truth: np.ndarray, valid: np.ndarray, heads: np.ndarray, scale: float, shift: np.ndarray
) -> None:
    """Distances that are within rounding of the threshold may fall on either side."""
    distances = np.linalg.norm(predicted - truth, axis=-1) / heads[:, None]
    clear = valid & (abs(distances - 0.5) > 1e-9)
    plain = pckh(predicted, truth, heads, clear, joints=PA16)
    moved = pckh(predicted * scale + shift, truth * scale + shift, heads * scale, clear, joints=PA16)
    assert np.array_equal(plain.sums, moved.sums)


def test_the_curve_passes_through_the_scores() -> None:
    kept = VALID & [joint not in ("pelvis", "thorax") for joint in PA16]
    thresholds, scores = MEASURES["pckh_out"].T
    assert pck_curve(PREDICTED, TRUTH, HEADS, kept, thresholds) == pytest.approx(scores, rel=1e-12)
    assert np.isnan(pck_curve(PREDICTED, TRUTH, HEADS, np.zeros_like(kept), thresholds)).all()


def test_the_area_is_the_trapezoids_of_the_curve() -> None:
    kept = VALID & [joint not in ("pelvis", "thorax") for joint in PA16]
    thresholds = np.linspace(0, 0.5, 51)
    curve = pck_curve(PREDICTED, TRUTH, HEADS, kept, thresholds)
    area = pckh_auc(PREDICTED, TRUTH, HEADS, VALID, joints=PA16)
    assert area.mean == pytest.approx(np.trapezoid(curve, thresholds) / 0.5, rel=1e-12)


def test_the_area_of_a_perfect_network_is_1_and_of_a_lost_one_0() -> None:
    assert pckh_auc(TRUTH, TRUTH, HEADS, VALID, joints=PA16).mean == pytest.approx(1)
    assert pckh_auc(TRUTH + 1e4, TRUTH, HEADS, VALID, joints=PA16).mean == 0
    assert pckh_auc(np.full_like(TRUTH, np.nan), TRUTH, HEADS, VALID, joints=PA16).mean == 0


def test_a_head_without_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"above 0; wrong are people \[1\]"):
        pckh(TRUTH[:2], TRUTH[:2], [20, 0], VALID[:2], joints=PA16)


def test_the_torso_goes_from_the_left_shoulder_to_the_right_hip() -> None:
    truth, valid = np.zeros((4, 14, 2)), np.ones((4, 14), bool)
    shoulder, hip = indices(LSP14, ["left_shoulder", "right_hip"])
    truth[:, shoulder], truth[:, hip] = (30, 0), (0, 40)
    truth[1, hip], valid[1, hip] = np.nan, False
    valid[2, shoulder] = False
    truth[3] = 7  # no length
    assert torso_size_px(truth, valid, LSP14).tolist() == pytest.approx([50, np.nan, np.nan, np.nan], nan_ok=True)
    found = pck_torso(np.nan_to_num(truth) + np.array([10, 0]), truth, valid, joints=LSP14)
    assert found.counts.sum(axis=1).tolist() == [14, 0, 0, 0]
    assert found.mean == 1
    assert pck_torso(np.nan_to_num(truth) + np.array([10.1, 0]), truth, valid, joints=LSP14).mean == 0


def test_a_set_without_the_torso_is_refused() -> None:
    with pytest.raises(ValueError, match="right_hip"):
        pck_torso(np.zeros((1, 4, 2)), np.zeros((1, 4, 2)), np.ones((1, 4), bool), joints=PENN[:4])


def test_the_depth_of_a_3d_network_is_not_looked_at() -> None:
    deep = np.concatenate([PREDICTED, np.full((*PREDICTED.shape[:2], 1), 1e9)], axis=-1)
    flat, with_depth = (pckh(pose, TRUTH, HEADS, VALID, joints=PA16).mean for pose in (PREDICTED, deep))
    assert flat == with_depth
