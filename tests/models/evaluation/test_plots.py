"""The bars of an evaluation."""

from __future__ import annotations

import math

from matplotlib.figure import Figure

from models.evaluation import plots
from models.evaluation.figures import Part


def axes_of(part: Part) -> tuple[list[str], tuple[float, float]]:
    """The numbers at the bars, and the ends of the axis."""
    (axes,) = plots._bars(Figure(), part, "title").axes
    return [text.get_text() for text in axes.texts], axes.get_xlim()


def test_a_class_without_samples_has_no_figure_and_per_cent_go_to_100() -> None:
    texts, (low, high) = axes_of(Part("accuracy", "action", "%", {"jump": 0.0, "sit": math.nan}))
    assert texts == ["0.0", "-"]
    assert low == 0
    assert high > 100


def test_millimetres_have_an_axis_of_their_own_length() -> None:
    _, (low, high) = axes_of(Part("MPJPE", "joint", "mm", {"neck": 50.0, "head": 400.0}))
    assert low == 0
    assert 400 < high < 500
