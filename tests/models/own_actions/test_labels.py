"""The CSV: what is read, and what is said of lines that cannot be used."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from models.own_actions.labels import NONE, Labelled, actions_of, read
from models.own_actions.problem import CannotTrain


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    (folder / "day 1").mkdir(parents=True)
    for name in ("a.mp4", "b.mp4", "day 1/c.mov"):
        (folder / name).write_bytes(b"")
    return folder


def labelled(videos: Path, text: str | bytes) -> list[Labelled]:
    file = videos.parent / "labels.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(file, videos)


def test_lines_are_clips(videos: Path) -> None:
    clips = labelled(
        videos,
        '\ufefffile,label,start_s,end_s,group\na.mp4,"jump, high",1.5,4,Ann\nb.mp4,None,,,\nday 1/c.mov,Häkeln,2,,\n',
    )
    assert [clip.label for clip in clips] == ["jump, high", NONE, "Häkeln"]
    assert actions_of(clips) == ("Häkeln", "jump, high")
    assert (clips[0].start_s, clips[0].end_s, clips[0].group) == (1.5, 4.0, "Ann")
    assert math.isinf(clips[1].end_s)
    assert clips[1].group != clips[2].group
    assert str(clips[0]) == "a.mp4 1.5 to 4 s"


def test_what_spreadsheets_write_is_read(videos: Path) -> None:
    """Semicolons with commas in numbers, CRLF, spaces, capitals, quoted names, empty lines, and a line twice."""
    text = 'File; Label ;start_s;end_s\r\n"day 1/c.mov"; "jump; high";0,5;2,25\r\n;;;\r\n\r\na.mp4;none;;\r\n'
    clips = labelled(videos, text + "a.mp4;none;;\r\n")
    assert [(str(clip), clip.label) for clip in clips] == [("c.mov 0.5 to 2.25 s", "jump; high"), ("a.mp4", NONE)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must name the columns file,label"),
        ("file,action\na.mp4,x\n", "label is missing, 'action' is not known"),
        ("file,label\n", "names no clips"),
        ("file,label\nz.mp4,x\n", "line 2: there is no file"),
        ("file,label\na.mp4,\n", "line 2: it has no label; where none of the actions is shown, write none"),
        ("file,label\na.mp4,x,y\n", "line 2: it has more or fewer columns"),
        ("file,label\na.mp4\n", "line 2: it has more or fewer columns"),
        (f"file,label\na.mp4,{'x' * 65}\n", "at most 64 printable characters"),
        ("file,label\na.mp4,x\u0007\n", "printable characters"),
        ("file,label\na.mp4,wave\nb.mp4,Wave\n", "'wave' and 'Wave' differ in capitals only"),
        ("file,label,start_s,end_s\na.mp4,x,3,2\n", "a clip cannot be from 3 to 2 s"),
        ("file,label,start_s,end_s\na.mp4,x,nan,2\n", "start_s is a number of seconds, not 'nan'"),
        ("file,label,start_s,end_s\na.mp4,x,1:30,2\n", "not '1:30'"),
        ("file,label,split\na.mp4,x,val\n", "split is train or test, not 'val'"),
        ("file,label,split\na.mp4,x,train\nb.mp4,x,\n", "some lines have a split and others have none"),
        ("file,label,split\na.mp4,x,train\na.mp4,y,test\n", "a.mp4 is in train and in test"),
        ("file,label,start_s,end_s\na.mp4,x,1,3\na.mp4,y,2,\n", "a.mp4 1 to 3 s and a.mp4 2 to inf s overlap"),
        (b"file,label\na.mp4,H\xe4keln\n", "is not UTF-8"),
    ],
)
def test_what_cannot_be_used_is_told(videos: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(CannotTrain, match=told.replace("(", r"\(")):
        labelled(videos, text)


def test_all_wrong_lines_are_told_at_once(videos: Path) -> None:
    with pytest.raises(CannotTrain) as problem:
        labelled(videos, "file,label\n" + "".join(f"{i}.mp4,x\n" for i in range(12)))
    assert str(problem.value).count("there is no file") == 8
    assert "and 4 more" in str(problem.value)
