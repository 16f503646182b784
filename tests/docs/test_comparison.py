"""What counts as the shown output, and what does not: a comparison that takes everything would find nothing."""

from __future__ import annotations

import pytest

from tests.docs.comparison import documents, same_json, same_text


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ('{"a": 0.97, "timing_ms": {"total": 3}}', '{"a": 0.96, "timing_ms": {"total": 900.5}}'),
        ('{"a": 1, "...": "..."}', '{"a": 1, "b": [2]}'),
        ('{"a": ["...", 3]}', '{"a": [1, 2, 3]}'),
        ('{"a": "..."}', '{"a": null}'),
        ('{"a": 1} "..." {"a": 4}', '{"a": 1}{"a": 2}{"a": 3}{"a": 4}'),
        ('{"x": 318.1}', '{"x": 321.9}'),
    ],
)
def test_the_same_json(shown: str, printed: str) -> None:
    assert same_json(documents(shown), documents(printed))


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ('{"a": 0.97}', '{"a": 0.87}'),
        ('{"a": 100}', '{"a": 101}'),
        ('{"a": 1}', '{"a": 1, "b": 2}'),
        ('{"a": 1, "...": "..."}', '{"b": 1}'),
        ('{"a": [1, "..."]}', '{"a": [2, 1]}'),
        ('{"a": null}', '{"a": 0}'),
        ('{"a": "lite"}', '{"a": "penn"}'),
        ('{"x": 31.1}', '{"x": 37.9}'),
        ('{"a": 1} {"a": 2}', '{"a": 1}'),
    ],
)
def test_other_json(shown: str, printed: str) -> None:
    assert not same_json(documents(shown), documents(printed))


@pytest.mark.parametrize(
    ("shown", "printed", "is_same"),
    [
        ("head  318.6  0.96", "head 319.1 0.95", True),
        ("head  318.6  0.96", "neck 318.6 0.96", False),
        ("head  318.6  0.96", "head 318.6 0.56", False),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nb\nc", False),
        ("a", "a\nb", False),
        ("version ... is ready", "version 0.2.0 is ready", True),
    ],
)
def test_texts(shown: str, printed: str, is_same: bool) -> None:
    assert same_text(shown, printed) is is_same


def test_figures_of_the_moment() -> None:
    assert same_text("pictures 7.6 44.3", "pictures 0.0 -", figures=False)
    assert not same_text("pictures 7.6 44.3", "videos 7.6 44.3", figures=False)
