from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom

from models.evaluation.metrics import bootstrap
from models.evaluation.metrics.bootstrap import draw_counts, figure, figures, interval
from models.evaluation.metrics.figure import Figure
from models.evaluation.metrics.tally import Tally, tally

RANDOM = np.random.default_rng(0)
HITS = tally(RANDOM.random((400, 3)) < [0.2, 0.5, 0.9], RANDOM.random((400, 3)) < 0.8)


def test_every_resample_has_as_many_samples_as_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(draw_counts(30, 100, seed=3)))
    assert whole.shape == (100, 30)
    assert (whole.sum(axis=1) == 30).all()
    monkeypatch.setattr(bootstrap, "DRAWN_AT_ONCE", 70)
    parts = list(draw_counts(30, 100, seed=3))
    assert {len(part) for part in parts} == {2}
    assert (np.concatenate(parts) == whole).all()


def test_each_sample_is_drawn_once_on_average_and_left_out_in_e_of_the_resamples() -> None:
    drawn = np.concatenate(list(draw_counts(50, 4000)))
    assert drawn.mean(axis=0) == pytest.approx(np.ones(50), abs=0.08)
    assert (drawn == 0).mean() == pytest.approx((1 - 1 / 50) ** 50, abs=0.01)


def test_the_interval_of_a_share_is_that_of_the_binomial_distribution() -> None:
    hits = np.arange(500) < 300
    low, high = interval(tally(hits, np.ones(500)), resamples=4000)
    assert (low, high) == pytest.approx(tuple(binom(500, 0.6).ppf([0.025, 0.975]) / 500), abs=0.004)


def test_the_interval_is_that_of_resampling_by_hand() -> None:
    values = []
    for times in np.concatenate(list(draw_counts(400, 50, seed=5))):
        again = HITS.rows(np.repeat(np.arange(400), times.astype(int)))
        values.append(again.mean)
    assert interval(HITS, resamples=50, seed=5) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), rel=1e-12)


def test_the_same_seed_gives_the_same_figure() -> None:
    assert figure(HITS, seed=1) == figure(HITS, seed=1)
    assert figure(HITS, seed=1) != figure(HITS, seed=2)


def test_figures_of_columns_and_of_all_together() -> None:
    columns = figures(HITS)
    assert [each.value for each in columns] == pytest.approx((100 * HITS.column_means).tolist())
    assert [each.count for each in columns] == (HITS.counts > 0).sum(axis=0).tolist()
    for each in (*columns, figure(HITS)):
        assert each.low < each.value < each.high
    assert figure(HITS).value == pytest.approx(100 * HITS.mean)
    assert figure(HITS, "mm").value == pytest.approx(HITS.mean)


def test_a_wider_level_gives_a_wider_interval() -> None:
    low, high = interval(HITS, level=0.5)
    wide_low, wide_high = interval(HITS, level=0.99)
    assert wide_low < low < high < wide_high


def test_samples_of_one_sequence_are_drawn_together() -> None:
    """100 equal frames of each of 20 sequences tell no more than 20 frames."""
    sequences = np.repeat(np.arange(20), 100)
    hits = np.repeat(RANDOM.random(20) < 0.5, 100)
    frames = tally(hits, np.ones(2000))
    low, high = interval(frames)
    grouped = frames.by_group(sequences)
    wide_low, wide_high = interval(grouped)
    assert grouped.mean == frames.mean
    assert wide_high - wide_low > 5 * (high - low)
    assert figure(grouped).count == 20


@given(arrays(np.float64, (6, 2), elements=st.floats(0, 1)), arrays(np.bool_, (6, 2)), st.permutations(range(6)))
def test_grouping_keeps_the_mean(values: np.ndarray, counted: np.ndarray, order: list[int]) -> None:
    plain = tally(values, counted)
    grouped = plain.by_group(np.array(order) // 2)
    assert grouped.column_means.tolist() == pytest.approx(plain.column_means.tolist(), nan_ok=True)


def test_nothing_counted_has_no_figure() -> None:
    empty = figure(tally(np.zeros((3, 1)), np.zeros((3, 1))))
    assert np.isnan([empty.value, empty.low, empty.high]).all()
    assert (empty.count, str(empty)) == (0, "-")
    assert str(figure(Tally(np.zeros((0, 2)), np.zeros((0, 2))))) == "-"


def test_a_resample_in_which_nothing_counts_is_left_out() -> None:
    """Of 20 people one has the joint: in a third of the resamples nobody has."""
    rare = tally(np.ones((20, 1)), np.arange(20)[:, None] == 0)
    assert interval(rare) == (1, 1)


def test_every_sample_needs_its_group() -> None:
    with pytest.raises(ValueError, match="400 samples need as many"):
        HITS.by_group([0, 1])


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (Figure(89.123, 88.4, 89.85, 2958), "89.1 % (88.4 to 89.8, n = 2,958)"),
        (Figure(55.06, 54.0, 56.0, 10, "mm"), "55.1 mm (54.0 to 56.0, n = 10)"),
        (Figure(0.5, 0.4, 0.6, 10, ""), "0.500 (0.400 to 0.600, n = 10)"),
    ],
)
def test_figures_are_read_as_one_writes_them(made: Figure, text: str) -> None:
    assert str(made) == text


def test_all_of_mpii_takes_well_under_a_second() -> None:
    people = tally(RANDOM.random((2958, 16)) < 0.9, np.ones((2958, 16)))
    start = time.process_time()
    figures(people)
    assert time.process_time() - start < 1
