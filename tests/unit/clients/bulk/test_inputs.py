"""Which files a batch takes, in which order, and that each has a name of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from deephar.bulk.inputs import Source, WrongSource
from hypothesis import given
from hypothesis import strategies as st

PART = st.text(alphabet=st.characters(blacklist_characters="/\0", codec="utf-8"), min_size=1, max_size=90).filter(
    lambda part: part not in (".", "..")
)


def make(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def test_a_folder_is_searched_with_all_below_in_a_stable_order(tmp_path: Path) -> None:
    make(tmp_path, "b.JPG", "a/2.png", "a/10.mp4", "a.jpg", "notes.txt", "a/deep/er/x.webp")
    source = Source(str(tmp_path))
    found = [(input.id, input.kind) for input in source.inputs()]
    assert found == [
        ("a/10.mp4", "video"),
        ("a/2.png", "picture"),
        ("a/deep/er/x.webp", "picture"),
        ("a.jpg", "picture"),
        ("b.JPG", "picture"),
    ]
    assert [input.id for input in source.inputs()] == [id for id, _ in found]


def test_results_inside_of_the_folder_are_no_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.jpg", "out/annotated/a.jpg.jpg")
    monkeypatch.chdir(tmp_path)
    assert [input.id for input in Source(".", without=Path("out")).inputs()] == ["a.jpg"]
    assert [input.id for input in Source("**/*.jpg", without=Path("out")).inputs()] == ["a.jpg"]


def test_a_list_names_each_file_once_whatever_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "here/a.jpg", "there/b.jpg", "here/c.txt")
    (tmp_path / "here/list.txt").write_text(
        f"a.jpg\n\n../there/b.jpg\r\n./a.jpg\n{tmp_path}/here/a.jpg\nc.txt\nno.png\n"
    )
    monkeypatch.chdir(tmp_path / "here")
    inputs = list(Source("list.txt").inputs())
    assert [(input.id, input.kind) for input in inputs] == [
        ("a.jpg", "picture"),
        (f"@{tmp_path}/there/b.jpg", "picture"),
        ("c.txt", None),
        ("no.png", "picture"),
    ]
    assert [input.path for input in inputs[:2]] == [str(tmp_path / "here/a.jpg"), str(tmp_path / "there/b.jpg")]


def test_a_pattern_names_files_from_where_it_begins(tmp_path: Path) -> None:
    make(tmp_path, "in/x/1.jpg", "in/y/2.jpg", "in/y/3.png")
    inputs = list(Source(f"{tmp_path}/in/*/*.jpg").inputs())
    assert [input.id for input in inputs] == ["x/1.jpg", "y/2.jpg"]


def test_a_single_file_is_a_batch_too(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4")
    assert [(input.id, input.kind) for input in Source(str(tmp_path / "a.mp4")).inputs()] == [("a.mp4", "video")]


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(WrongSource, match="no such folder, list of files or pattern"):
        Source(str(tmp_path / "absent"))


def test_names_that_are_no_text_are_kept(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.jpg")).write_bytes(b"x")
    (input,) = Source(str(tmp_path)).inputs()
    assert Path(input.path).read_bytes() == b"x"


@given(st.sets(st.tuples(st.sampled_from(("", "../", "@/", "@@/", "../../x/")), PART), min_size=1, max_size=8))
def test_no_two_files_share_a_name_nor_leave_the_results(paths: set[tuple[str, str]]) -> None:
    source = Source(os.curdir)
    names = [source._id(os.path.abspath(folder + part)) for folder, part in paths]
    assert len(set(names)) == len({os.path.abspath(folder + part) for folder, part in paths})
    for name in names:
        parts = name.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert all(len(os.fsencode(part)) <= 200 for part in parts)
