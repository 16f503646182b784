"""Large JSON objects, read list element by list element."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.datasets.formats.json_stream import members
from models.datasets.problem import DataProblem

CONTENT = {
    "info": {"year": 2017, "names": ["a", "b"]},
    "licenses": [],
    "images": [{"id": 1, "file_name": "ä, [b]: {c}.jpg"}, {"id": 2}],
    "count": 2,
    "numbers": [1, -2.5e3, None, True, [3, [4]], "]"],
}
EXPECTED = [
    ("info", CONTENT["info"]),
    *(("images", image) for image in CONTENT["images"]),  # type: ignore[attr-defined]
    ("count", 2),
    *(("numbers", number) for number in CONTENT["numbers"]),  # type: ignore[attr-defined]
]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_values_and_elements_of_lists(indent: int | None, ascii_only: bool, tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text(f" {json.dumps(CONTENT, indent=indent, ensure_ascii=ascii_only)}\n", encoding="utf-8")
    assert list(members(file)) == EXPECTED


def test_an_object_without_members(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text("{ }")
    assert list(members(file)) == []


def test_a_file_that_is_cut_anywhere_is_told(tmp_path: Path) -> None:
    file, content = tmp_path / "file.json", json.dumps(CONTENT, ensure_ascii=False).encode()
    for length in range(len(content)):
        file.write_bytes(content[:length])
        with pytest.raises(DataProblem, match=r"cut or damaged|is damaged|it is empty"):
            list(members(file))


@pytest.mark.parametrize("text", ["[1, 2]", "null", '{"a" 1}', '{"a": [1 2]}', '{"a": 1 "b": 2}'])
def test_what_is_no_object(text: str, tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text(text)
    with pytest.raises(DataProblem, match="cut or damaged"):
        list(members(file))
