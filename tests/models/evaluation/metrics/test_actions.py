from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.evaluation.metrics.actions import (
    NO_ANSWER,
    confusion,
    fused_top_k,
    multi_clip,
    per_class,
    predicted_labels,
    single_clip,
    top_k,
)
from models.protocol.fusion import ShortSequences, fuse
from tests.models.evaluation.metrics.vectors import FUNCTIONS

VECTORS = np.load(FUNCTIONS / "multiclip.npz")
TRUTH = VECTORS["in_truth"]
SEQUENCES = VECTORS["in_clip_seq_start_flip"][:, 0]
SCORES = VECTORS["in_probabilities"]  # (82, 2, 15)

scores = arrays(np.float64, (6, 7), elements=st.floats(0.01, 1))
labels = arrays(np.int64, 6, elements=st.integers(0, 6))


def test_multi_clip_is_that_of_the_original_block_by_block() -> None:
    fused, blocks = multi_clip(SCORES, SEQUENCES, TRUTH, ShortSequences.CORRECT)
    assert [100 * block.mean for block in blocks] == VECTORS["out_scores"].tolist()
    product = np.moveaxis(VECTORS["out_product"], 1, 0)
    assert np.allclose(fused.log_scores, np.log(product), rtol=1e-6)
    assert (fused.has_clip == VECTORS["out_has_clip"]).all()


def test_short_sequences_count_as_the_protocol_says() -> None:
    """Two of eight have no clip."""
    means = {short: multi_clip(SCORES, SEQUENCES, TRUTH, short)[1][1].mean for short in ShortSequences}
    assert means == pytest.approx(
        {ShortSequences.CORRECT: 7 / 8, ShortSequences.WRONG: 5 / 8, ShortSequences.LEFT_OUT: 5 / 6}
    )


def test_a_short_sequence_of_class_0_is_wrong_as_well() -> None:
    """Its fused scores are all equal: their argmax is 0."""
    fused, [block] = multi_clip(np.empty((0, 1, 7)), [], [0])
    assert block.mean == 0
    assert fused_top_k(fused, [0], 5).mean == 0


def test_clips_that_failed_leave_a_sequence_like_a_short_one() -> None:
    kept = SEQUENCES != 6
    assert VECTORS["out_has_clip"][6]
    original, strict = (
        multi_clip(SCORES[kept], SEQUENCES[kept], TRUTH, short)[1][1]
        for short in (ShortSequences.CORRECT, ShortSequences.WRONG)
    )
    assert (original.sums[6], strict.sums[6]) == (1, 0)


@given(scores.map(lambda values: values / values.sum(axis=1, keepdims=True)))
def test_fusion_in_logarithms_is_the_product(values: np.ndarray) -> None:
    owners = np.array([0, 0, 0, 1, 1, 2])
    fused = fuse(values, owners, 3)
    for sequence in range(3):
        product = values[owners == sequence].prod(axis=0)
        assert np.allclose(np.exp(fused.log_scores[sequence]), product, rtol=1e-9)
        for k in (1, 5):
            found = [top_k(one, [3], k).mean for one in (fused.log_scores[[sequence]], np.log(product)[None])]
            clear = np.min(np.abs(np.delete(fused.log_scores[sequence], 3) - fused.log_scores[sequence, 3])) > 1e-9
            assert found[0] == found[1] or not clear


@given(scores, labels)
def test_top_k_grows_with_k_up_to_everything(values: np.ndarray, truth: np.ndarray) -> None:
    found = [top_k(values, truth, k).mean for k in range(1, 8)]
    assert found == sorted(found)
    assert found[-1] == 1


@given(arrays(np.float64, (6, 7), elements=st.sampled_from([0.0, 0.5, 1.0])), labels)
def test_top_1_is_numpys_argmax_also_of_equal_scores(values: np.ndarray, truth: np.ndarray) -> None:
    assert top_k(values, truth).sums[:, 0].tolist() == (values.argmax(axis=1) == truth).tolist()


@given(scores, labels, arrays(np.bool_, 6))
def test_the_confusion_matrix_holds_every_sequence_once(
    values: np.ndarray, truth: np.ndarray, answered: np.ndarray
) -> None:
    guessed = predicted_labels(values, answered)
    matrix = confusion(guessed, truth, 7)
    assert matrix.sum(axis=1).tolist() == np.bincount(truth, minlength=7).tolist()
    assert matrix[:, -1].sum() == (~answered).sum() == (guessed == NO_ANSWER).sum()
    classes = per_class(guessed, truth, 7)
    assert classes.sums.sum(axis=0).tolist() == np.diag(matrix).tolist()
    assert classes.counts.sum(axis=0).tolist() == matrix.sum(axis=1).tolist()
    assert classes.mean == top_k(values, truth, answered=answered).mean


def test_single_clip_gives_each_blocks_share() -> None:
    values = np.eye(3)[[[0, 1], [1, 1], [2, 0], [0, 0]]]  # (4, 2, 3)
    assert [block.mean for block in single_clip(values, [0, 1, 2, 1])] == [3 / 4, 1 / 4]
    failed = single_clip(values, [0, 1, 2, 1], answered=[False, True, True, True])
    assert [block.mean for block in failed] == [2 / 4, 1 / 4]


def test_a_class_without_sequences_has_no_accuracy() -> None:
    found = per_class([0, 1, 1], [0, 0, 1], 3).column_means
    assert found.tolist() == pytest.approx([0.5, 1, np.nan], nan_ok=True)


def test_top_5_of_fused_scores_counts_a_short_sequence_as_asked() -> None:
    fused, _ = multi_clip(SCORES, SEQUENCES, TRUTH)
    strict = fused_top_k(fused, TRUTH, 5)
    original = fused_top_k(fused, TRUTH, 5, short=ShortSequences.CORRECT)
    assert (original.sums - strict.sums).sum() == 2
    assert fused_top_k(fused, TRUTH, 5, short=ShortSequences.LEFT_OUT).counts.sum() == 6
