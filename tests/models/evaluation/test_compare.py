"""The page of an evaluation on several targets."""

from __future__ import annotations

from models.evaluation.compare import page


def test_figures_that_only_some_targets_have_are_in_the_table_too() -> None:
    figures = {"onnx": {"top-1, multi-clip": 50.0}, "gateway": {"top-1, whole sequence": 75.0}}
    text = page("lite on penn", "strict", figures, [])
    assert text.startswith("# lite on penn, by target\n\nFigures counted strictly.\n")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| top")]
    assert rows == [["top-1, multi-clip", "50.0", ""], ["top-1, whole sequence", "", "75.0"]]


def test_a_change_is_named_with_where_it_comes_from() -> None:
    text = page("lite on lsp", "original", {"onnx": {"PCK": 88.9}, "gateway": {"PCK": 89.1}}, [])
    assert "PCK: +0.2 from onnx to gateway: the gateway cuts its crops itself" in text
    assert "from" not in page("lite on lsp", "original", {"onnx": {"PCK": 88.9}, "gateway": {"PCK": 88.9}}, [])
