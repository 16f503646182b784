from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.lite.frame.calibration import SEEN, Calibration, expected_calibration_error, fit


@settings(max_examples=20)
@given(st.floats(0.5, 2), st.floats(-1, 1))
def test_the_fit_finds_what_the_scores_lack(scale: float, bias: float) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(2000, 16)) + 2 + rng.normal(size=(2000, 1))
    hits = rng.random((2000, 16)) < Calibration(scale, bias).scores(logits)
    found = fit(logits, hits, np.ones(hits.shape, bool), rng.normal(size=(300, 16)) - 4)
    assert expected_calibration_error(found.scores(logits), hits) < 0.02
    assert found.scores(np.full((1, 16), -4.0)).max() < 0.05


def test_the_graph_computes_the_same_scores() -> None:
    torch = pytest.importorskip("torch", reason="the models' environment has torch, the gateway's has not")
    calibration = Calibration(1.1, 0.2, 2.0, 1.5)
    logits = np.random.default_rng(2).normal(size=(5, 16)).astype(np.float32) * 2
    served = calibration.scores(torch.from_numpy(logits), torch.sigmoid, lambda logits: logits.topk(SEEN).values)
    assert np.allclose(served.numpy(), calibration.scores(logits), atol=1e-6)


def test_the_error_is_the_gap_between_what_is_said_and_what_is_right() -> None:
    hits = np.arange(100) < 60
    assert expected_calibration_error(np.full(100, 0.95), hits) == pytest.approx(0.35)
    assert expected_calibration_error(np.where(hits, 1.0, 0.0), hits) == 0


def test_who_is_seen_in_half_is_a_person() -> None:
    portrait = np.array([[4.0] * 8 + [-4.0] * 8])
    scores = Calibration(1.0, 0.0, 2.0, 0.0).scores(portrait)
    assert scores[0, :8].min() > 0.95
    assert scores[0, 8:].max() < 0.05
