from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.evaluation.journal import Journal, Row
from models.evaluation.problem import EvaluationProblem

IDENTITY = {"model": "mpii", "settings": {"split": "val"}}


def row(number: int) -> Row:
    points = np.linspace(0, number / 3, 4).reshape(2, 2)
    return {"key": f"person {number}", "points": points, "seen": np.array([True, False]), "none": None}


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in {**one, **other})


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    with Journal(tmp_path / "new", IDENTITY) as journal:
        for number in range(3):
            journal.add(row(number))
    with Journal(tmp_path / "new", IDENTITY) as journal:
        assert len(journal.rows) == 3
        assert all(same(journal.rows[number], row(number)) for number in range(3))
        assert journal.rows[1]["points"].dtype == np.float64


def test_a_journal_that_was_cut_off_anywhere_goes_on(tmp_path: Path) -> None:
    with Journal(tmp_path, IDENTITY) as journal:
        for number in range(3):
            journal.add(row(number))
        file = journal.path
    whole = file.read_bytes()
    ends = [end + 1 for end, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(0, len(whole), 11):
        file.write_bytes(whole[:cut])
        with Journal(tmp_path, IDENTITY) as journal:
            kept = len(journal.rows)
            assert kept == max(sum(end <= cut for end in ends) - 1, 0)
            for number in range(kept, 3):
                journal.add(row(number))
        assert file.read_bytes() == whole


def test_rows_can_be_dropped(tmp_path: Path) -> None:
    with Journal(tmp_path, IDENTITY) as journal:
        for number in range(4):
            journal.add(row(number))
        journal.keep(2)
        journal.add(row(7))
    with Journal(tmp_path, IDENTITY) as journal:
        assert [one["key"] for one in journal.rows] == ["person 0", "person 1", "person 7"]


def test_another_evaluation_is_not_mixed_in(tmp_path: Path) -> None:
    with Journal(tmp_path, IDENTITY) as journal:
        journal.add(row(1))
    with pytest.raises(EvaluationProblem, match=r'has another evaluation: its model is "mpii", here it is "penn"'):
        Journal(tmp_path, {**IDENTITY, "model": "penn"})
    with Journal(tmp_path, {**IDENTITY, "model": "penn"}, again=True) as journal:
        assert journal.rows == []


def test_a_file_that_is_no_journal_is_said(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text("[1]\n")
    with pytest.raises(EvaluationProblem, match="has another evaluation"):
        Journal(tmp_path, IDENTITY)


def test_two_do_not_write_at_a_time(tmp_path: Path) -> None:
    with Journal(tmp_path, IDENTITY), pytest.raises(EvaluationProblem, match="is in use"):
        Journal(tmp_path, IDENTITY)
