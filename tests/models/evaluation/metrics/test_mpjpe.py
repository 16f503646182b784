from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.transform import Rotation

from models.evaluation.metrics.mpjpe import (
    mean_distance,
    mpjpe,
    n_mpjpe,
    p_mpjpe,
    pck3d,
    pck3d_auc,
    procrustes,
    relative_to_root,
    scale_to,
)
from models.evaluation.metrics.tally import Tally
from tests.models.evaluation.metrics.vectors import MEASURES, annotated

TRUTH, PREDICTED = MEASURES["mde_in_true"], MEASURES["mde_in_pred"]
VALID = annotated(TRUTH)
EVERY = np.ones((3, 17), bool)

poses = arrays(np.float64, (3, 17, 3), elements=st.floats(-800, 800))
# Never flat, never in a line: the best rotation is one.
bodies = st.integers(0, 2**32).map(lambda seed: np.random.default_rng(seed).normal(0, 300, (3, 17, 3)))
rotations = st.integers(0, 2**32).map(lambda seed: Rotation.random(rng=np.random.default_rng(seed)).as_matrix())
shifts = arrays(np.float64, 3, elements=st.floats(-5000, 5000))


def squares(points: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return ((points - truth) ** 2).sum(axis=(1, 2))


def test_the_mean_distance_is_that_of_the_original() -> None:
    assert mean_distance(PREDICTED, TRUTH, VALID).mean == pytest.approx(float(MEASURES["mde_out"]), rel=1e-12)


def test_pck3d_is_that_of_the_original_and_leaves_out_the_root() -> None:
    assert pck3d(PREDICTED, TRUTH, VALID).mean == float(MEASURES["pck3d_out"])
    assert pck3d(PREDICTED, TRUTH, VALID, leave_out_root=False).mean == pytest.approx(1 - 7 / 644)


def test_the_root_makes_the_original_figure_a_seventeenth_smaller() -> None:
    with_root = mpjpe(PREDICTED, np.where(VALID[..., None], TRUTH, 0))
    without = mpjpe(PREDICTED, np.where(VALID[..., None], TRUTH, 0), leave_out_root=True)
    assert with_root.mean == pytest.approx(without.mean * 16 / 17, rel=1e-12)
    assert np.isnan(without.column_means[0])
    assert with_root.column_means[0] == 0


def test_a_pose_without_root_does_not_count() -> None:
    valid = EVERY.copy()
    valid[1, 0] = False
    assert mpjpe(np.ones((3, 17, 3)), np.zeros((3, 17, 3)), valid).counts.sum(axis=1).tolist() == [17, 0, 17]
    assert n_mpjpe(np.ones((3, 17, 3)), np.zeros((3, 17, 3)), valid).counts.sum(axis=1).tolist() == [17, 0, 17]


@given(poses, poses, shifts, shifts)
def test_mpjpe_does_not_depend_on_places(
    predicted: np.ndarray, truth: np.ndarray, one: np.ndarray, other: np.ndarray
) -> None:
    moved = mpjpe(predicted + one, truth + other)
    assert np.allclose(moved.sums, mpjpe(predicted, truth).sums, rtol=0, atol=1e-8)


@given(poses, poses, st.floats(0.01, 100))
def test_n_mpjpe_does_not_depend_on_size(predicted: np.ndarray, truth: np.ndarray, scale: float) -> None:
    assert np.allclose(n_mpjpe(predicted * scale, truth).sums, n_mpjpe(predicted, truth).sums, rtol=1e-9, atol=1e-6)


@given(bodies, bodies, st.floats(0.1, 10), rotations, shifts)
def test_p_mpjpe_does_not_depend_on_similarity_transforms(
    noise: np.ndarray, truth: np.ndarray, scale: float, rotation: np.ndarray, shift: np.ndarray
) -> None:
    predicted = truth + noise
    moved = scale * predicted @ rotation + shift
    assert np.allclose(p_mpjpe(moved, truth).sums, p_mpjpe(predicted, truth).sums, rtol=0, atol=1e-6)
    still = p_mpjpe(predicted, truth @ rotation + shift)
    assert np.allclose(still.sums, p_mpjpe(predicted, truth).sums, rtol=0, atol=1e-6)


@given(bodies, st.floats(0.1, 10), rotations, shifts)
def test_a_transformed_truth_has_no_error_but_a_reflected_one_has(
    truth: np.ndarray, scale: float, rotation: np.ndarray, shift: np.ndarray
) -> None:
    moved = scale * truth @ rotation + shift
    assert p_mpjpe(moved, truth).mean < 1e-6
    assert p_mpjpe(moved * [-1, 1, 1], truth).mean > 10


@given(poses, poses)
def test_each_alignment_leaves_less_than_the_one_before(predicted: np.ndarray, truth: np.ndarray) -> None:
    """In squares, which they minimise: the means of distances mostly, not always, follow."""
    guess, true = relative_to_root(predicted), relative_to_root(truth)
    plain, scaled = squares(guess, true), squares(scale_to(guess, true, EVERY), true)
    aligned = squares(procrustes(predicted, truth, EVERY), truth)
    slack = 1e-6 + 1e-9 * plain
    assert (scaled <= plain + slack).all()
    inside_out = (guess * true).sum(axis=(1, 2)) < 0  # by a negative factor, which no rotation does
    assert ((aligned <= scaled + slack) | inside_out).all()


def test_errors_of_a_noisy_pose_of_another_size_fall_with_each_alignment() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(0, 300, (200, 17, 3))
    turn = np.linalg.qr(np.eye(3) + 0.1 * random.normal(size=(3, 3))).Q
    turn *= np.sign(np.linalg.det(turn))
    predicted = 0.8 * truth @ turn + random.normal(0, 20, truth.shape)
    errors = [metric(predicted, truth).mean for metric in (p_mpjpe, n_mpjpe, mpjpe)]
    assert errors == sorted(errors)
    assert 25 < errors[0] < 45 < errors[2]


@given(bodies, bodies)
def test_procrustes_is_that_of_scipy(noise: np.ndarray, truth: np.ndarray) -> None:
    """Which also allows reflections: here none is better."""
    predicted = truth + 0.3 * noise
    aligned = procrustes(predicted, truth, EVERY)
    for guess, true, ours in zip(predicted, truth, aligned, strict=True):
        disparity = scipy_procrustes(true, guess)[2] * ((true - true.mean(axis=0)) ** 2).sum()
        assert ((ours - true) ** 2).sum() == pytest.approx(disparity, rel=1e-9)


@given(bodies, bodies)
def test_procrustes_of_a_mirrored_pose_is_the_best_proper_rotation(noise: np.ndarray, truth: np.ndarray) -> None:
    predicted = (truth + 0.3 * noise) * [-1, 1, 1]
    aligned = procrustes(predicted, truth, EVERY)
    for guess, true, ours in zip(predicted, truth, aligned, strict=True):
        centred, target = guess - guess.mean(axis=0), true - true.mean(axis=0)
        turned = Rotation.align_vectors(target, centred)[0].apply(centred)
        scale = (turned * target).sum() / (turned**2).sum()
        assert ours == pytest.approx(scale * turned + true.mean(axis=0), abs=1e-4)


@pytest.mark.parametrize("metric", [mpjpe, n_mpjpe, p_mpjpe])
def test_joints_that_do_not_count_change_nothing(metric: Callable[..., Tally]) -> None:
    random = np.random.default_rng(1)
    truth, predicted = random.normal(0, 300, (2, 5, 17, 3))
    valid = random.random((5, 17)) > 0.3
    valid[:, 0] = True
    lost = np.where(valid[..., None], predicted, np.nan)
    assert np.allclose(metric(lost, truth, valid).sums, metric(predicted, truth, valid).sums)
    few = [metric(predicted[[pose]][:, valid[pose]], truth[[pose]][:, valid[pose]]).sums.sum() for pose in range(5)]
    assert metric(predicted, truth, valid).sums.sum(axis=1) == pytest.approx(few)


def test_a_pose_in_one_point_is_aligned_to_the_truths_centre() -> None:
    truth = np.random.default_rng(2).normal(0, 300, (1, 17, 3))
    assert np.allclose(procrustes(np.full((1, 17, 3), 7.0), truth, EVERY[:1]), truth.mean(axis=1, keepdims=True))
    assert (scale_to(np.zeros((1, 17, 3)), truth, EVERY[:1]) == 0).all()


@pytest.mark.parametrize("metric", [mpjpe, mean_distance, pck3d])
def test_a_lost_prediction_is_refused(metric: Callable[..., Tally]) -> None:
    predicted = np.zeros((3, 17, 3))
    predicted[2, 5] = np.nan
    with pytest.raises(ValueError, match=r"finite; wrong are poses \[2\]"):
        metric(predicted, np.zeros((3, 17, 3)))


def test_the_area_of_pck3d_is_its_mean_over_thresholds() -> None:
    expected = np.mean([pck3d(PREDICTED, TRUTH, VALID, threshold).mean for threshold in range(0, 151, 5)])
    assert pck3d_auc(PREDICTED, TRUTH, VALID).mean == pytest.approx(expected, rel=1e-12)
    assert pck3d_auc(TRUTH, TRUTH, VALID).mean == 1
