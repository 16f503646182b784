from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.evaluation.metrics.pcp import PARTS, pcp
from models.protocol.joints import PA16, flip_indices

TRUTH = np.random.default_rng(0).uniform(0, 200, (6, 16, 2))
EVERY = np.ones((6, 16), bool)
FOREARM = list(PARTS).index("left_forearm")
TORSO = list(PARTS).index("torso")
ELBOW, WRIST = PA16.index("left_elbow"), PA16.index("left_wrist")
poses = arrays(np.float64, (6, 16, 2), elements=st.floats(-100, 100))


def moved(elbow: float, wrist: float) -> np.ndarray:
    """The truth with a left forearm of 100 px, and its ends' errors."""
    predicted = TRUTH.copy()
    predicted[:, ELBOW], predicted[:, WRIST] = (elbow, 0), (100 + wrist, 0)
    return predicted


def test_strictly_both_ends_must_lie_within_half_the_length() -> None:
    truth = moved(0, 0)
    for elbow, wrist, strict, loose in [(50, 50, 1, 1), (50, 51, 0, 0), (10, 90, 0, 1), (10, 91, 0, 0), (0, 0, 1, 1)]:
        for form, expected in ((True, strict), (False, loose)):
            found = pcp(moved(elbow, wrist), truth, EVERY, joints=PA16, strict=form)
            assert found.column_means[FOREARM] == expected


@given(poses, poses, st.floats(0, 2), st.floats(0, 2))
def test_pcp_grows_with_the_threshold_and_strict_is_below_loose(
    predicted: np.ndarray, truth: np.ndarray, one: float, other: float
) -> None:
    low, high = (pcp(predicted, truth, EVERY, joints=PA16, threshold=each).sums for each in sorted((one, other)))
    assert (low <= high).all()
    loose = pcp(predicted, truth, EVERY, joints=PA16, strict=False, threshold=max(one, other)).sums
    assert (high <= loose).all()


def test_it_is_person_centric() -> None:
    exchanged = pcp(TRUTH[:, flip_indices(PA16)], TRUTH, EVERY, joints=PA16)
    assert exchanged.column_means[[TORSO, list(PARTS).index("head")]].tolist() == [1, 1]
    assert exchanged.mean < 0.6
    assert pcp(TRUTH, TRUTH, EVERY, joints=PA16).mean == 1


def test_a_part_counts_with_all_its_joints_and_none_predicted_is_a_miss() -> None:
    valid, predicted = EVERY.copy(), TRUTH.copy()
    valid[0, PA16.index("left_hip")] = False
    predicted[1, PA16.index("left_hip")] = np.nan
    found = pcp(predicted, TRUTH, valid, joints=PA16)
    assert found.counts[:, TORSO].tolist() == [0, 1, 1, 1, 1, 1]
    assert found.sums[:, TORSO].tolist() == [0, 0, 1, 1, 1, 1]


def test_the_joints_order_does_not_matter() -> None:
    order = np.random.default_rng(1).permutation(16)
    names = tuple(PA16[place] for place in order)
    predicted = TRUTH + np.random.default_rng(2).normal(0, 20, TRUTH.shape)
    plain, other = (
        pcp(predicted, TRUTH, EVERY, joints=PA16),
        pcp(predicted[:, order], TRUTH[:, order], EVERY, joints=names),
    )
    assert (plain.sums == other.sums).all()
