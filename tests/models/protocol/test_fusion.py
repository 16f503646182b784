from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.protocol.clips import multi_clip
from models.protocol.fusion import ShortSequences, accuracy, fuse

VECTORS = np.load(Path(__file__).parent.parent.parent / "golden" / "functions" / "multiclip.npz")
SEQUENCES = VECTORS["in_clip_seq_start_flip"][:, 0]
GOLDEN = fuse(VECTORS["in_probabilities"], SEQUENCES, len(VECTORS["in_lengths"]))  # (8, 2, 15)


def test_logarithms_are_those_of_the_originals_products() -> None:
    product = np.moveaxis(VECTORS["out_product"], 1, 0)  # (8, 2, 15), down to 2e-58
    assert np.allclose(GOLDEN.log_scores, np.log(product), rtol=0, atol=1e-11)
    assert (GOLDEN.log_scores.argmax(axis=-1) == product.argmax(axis=-1)).all()


def test_sequences_with_clips_are_those_of_the_original() -> None:
    assert (GOLDEN.has_clip == VECTORS["out_has_clip"]).all()
    assert GOLDEN.has_clip.tolist() == [bool(multi_clip(int(n), 8, 6)) for n in VECTORS["in_lengths"]]


def test_rows_are_the_clips_that_multi_clip_makes_plain_and_mirrored() -> None:
    made = [
        [sequence, clip[0], mirror]
        for sequence, length in enumerate(VECTORS["in_lengths"])
        for clip in multi_clip(int(length), 8, 6)
        for mirror in (0, 1)
    ]
    assert made == VECTORS["in_clip_seq_start_flip"].tolist()


def test_short_sequences_count_as_asked() -> None:
    """Two of eight have no clip. The original counts them as correct: its scores are 25 points too high."""
    truth = VECTORS["in_truth"]
    assert (100 * accuracy(GOLDEN, truth, ShortSequences.CORRECT)).tolist() == VECTORS["out_scores"].tolist()
    assert (100 * accuracy(GOLDEN, truth)).tolist() == (VECTORS["out_scores"] - 25).tolist()
    assert accuracy(GOLDEN, truth, ShortSequences.LEFT_OUT).tolist() == pytest.approx([0, 5 / 6])


def test_a_short_sequence_of_class_0_is_wrong_as_well() -> None:
    fused = fuse(np.empty((0, 2, 3)), np.empty(0, int), 1)
    assert fused.labels.tolist() == [[-1, -1]]
    assert accuracy(fused, [0]).tolist() == [0, 0]
    with pytest.raises(ValueError, match="no sequence"):
        accuracy(fused, [0], ShortSequences.LEFT_OUT)


probabilities = arrays(np.float64, (7, 2, 4), elements=st.floats(1e-6, 1))


@given(probabilities, st.permutations(range(7)))
def test_the_order_of_the_clips_does_not_matter(scores: np.ndarray, order: list[int]) -> None:
    owners = np.array([0, 0, 1, 1, 1, 2, 2])
    assert np.allclose(fuse(scores[order], owners[order], 3).log_scores, fuse(scores, owners, 3).log_scores, atol=1e-12)


@given(probabilities, st.floats(0.1, 10))
def test_a_common_factor_does_not_change_the_best_class(scores: np.ndarray, factor: float) -> None:
    owners = np.zeros(7, int)
    plain, scaled = (fuse(values, owners, 1).log_scores for values in (scores, scores * factor))
    assert np.allclose(scaled - plain, 7 * np.log(factor), atol=1e-11)


def test_a_long_sequence_does_not_underflow() -> None:
    scores = np.tile([1e-6, 2e-6, 1e-7], (500, 1))
    assert np.prod(scores, axis=0).max() == 0
    assert fuse(scores, np.zeros(500, int), 1).labels.tolist() == [1]


def test_a_class_that_one_clip_rules_out_cannot_win() -> None:
    assert fuse([[0.9, 0.1], [0.0, 1.0]], [0, 0], 1).labels.tolist() == [1]


def test_every_sequence_needs_its_truth() -> None:
    with pytest.raises(ValueError, match="8 sequences"):
        accuracy(GOLDEN, [1])


@pytest.mark.parametrize(
    ("scores", "owners", "words"),
    [
        ([[-1.0, 2.0]], [0], "not logits"),
        ([[np.nan, 1]], [0], "finite"),
        ([[1.0]], [3], "must lie"),
        ([[1.0]], [], "need"),
    ],
)
def test_wrong_input_is_refused(scores: list[list[float]], owners: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fuse(scores, owners, 1)
