from __future__ import annotations

from pathlib import Path

from models.evaluation.papers import PAPERS, paper_figure, papers_table

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "evaluation.md"


def test_the_documentation_has_the_table() -> None:
    assert papers_table() in DOCUMENT.read_text()


def test_a_figure_is_published_of_one_evaluation_only() -> None:
    single = {"split": "val", "views": "single"}
    found = paper_figure("mpii", "mpii", "PCKh@0.5", single)
    assert found is not None
    assert found.value == 89.1
    assert paper_figure("mpii", "mpii", "PCKh@0.5", {**single, "views": "multi"}) is None
    assert paper_figure("mpii", "mpii@7", "PCKh@0.5", single) is None
    assert paper_figure("mpii", "lite", "PCKh@0.5", single) is None
    assert paper_figure("mpii", "mpii", "PCKh@0.5", {"split": "test", "views": "multi"}) is None  # no labels


def test_cross_view_has_no_figure_of_cross_subject() -> None:
    settings = {"split": "test", "subjects": "cross-subject"}
    found = paper_figure("ntu", "ntu", "top-1, multi-clip", settings)
    assert found is not None
    assert found.value == 89.9
    assert paper_figure("ntu", "ntu", "top-1, multi-clip", {**settings, "subjects": "cross-view"}) is None


def test_every_figure_says_what_it_is_and_where_it_stands() -> None:
    assert {(one.dataset, one.value) for one in PAPERS} >= {
        ("mpii", 89.1), ("mpii", 91.2), ("h36m", 55.1), ("penn", 98.7), ("ntu", 89.9)
    }  # fmt: skip
    assert all(one.what and one.source and one.unit in ("%", "mm") for one in PAPERS)
