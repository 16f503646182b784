from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.evaluation.metrics.sides import side_exchange, side_pairs
from models.protocol.joints import PA16, PA17, PA20, flip_indices

poses = arrays(np.float64, (4, 16, 2), elements=st.floats(-100, 100))
EVERY = np.ones((4, 16), bool)
RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.uniform(0, 200, (4, 16, 2))


@pytest.mark.parametrize("joints", [PA16, PA17, PA20])
def test_pairs_are_those_of_the_mirror(joints: tuple[str, ...]) -> None:
    flip = flip_indices(joints)
    pairs = side_pairs(joints)
    assert all(flip[left] == right and flip[right] == left for left, right in pairs)
    assert 2 * len(pairs) == (flip != np.arange(len(joints))).sum()


def test_a_pose_of_the_other_side_is_exchanged_in_every_pair() -> None:
    assert side_exchange(TRUTH, TRUTH, EVERY, PA16).mean == 0
    assert side_exchange(TRUTH[:, flip_indices(PA16)], TRUTH, EVERY, PA16).mean == 1


@given(poses, poses)
def test_exchanging_the_prediction_exchanges_the_answer(predicted: np.ndarray, truth: np.ndarray) -> None:
    plain = side_exchange(predicted, truth, EVERY, PA16).sums
    other = side_exchange(predicted[:, flip_indices(PA16)], truth, EVERY, PA16).sums
    assert (plain + other <= 1).all()  # less where both fit as well


def test_one_exchanged_pair_of_one_person_is_counted_where_it_is() -> None:
    predicted = TRUTH.copy()
    left, right = PA16.index("left_knee"), PA16.index("right_knee")
    predicted[2, [left, right]] = predicted[2, [right, left]]
    found = side_exchange(predicted, TRUTH, EVERY, PA16)
    assert found.sums.sum() == 1
    assert found.column_means[side_pairs(PA16).index((left, right))] == 1 / 4


def test_a_pair_counts_when_both_joints_are_annotated_and_predicted() -> None:
    valid, predicted = EVERY.copy(), TRUTH.copy()
    valid[0, PA16.index("left_wrist")] = False
    predicted[1, PA16.index("right_wrist")] = np.nan
    wrists = side_pairs(PA16).index((PA16.index("left_wrist"), PA16.index("right_wrist")))
    assert side_exchange(predicted, TRUTH, valid, PA16).counts[:, wrists].tolist() == [0, 0, 1, 1]


def test_joints_without_pairs_have_no_rate() -> None:
    assert np.isnan(side_exchange(TRUTH[:, :4], TRUTH[:, :4], EVERY[:, :4], PA16[:4]).mean)
