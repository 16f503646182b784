"""Parquet and formats of other programs, made of the results of a batch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deephar.bulk.exports import write_format
from deephar.bulk.inputs import Input
from deephar.bulk.output_folder import OutputFolder
from deephar.bulk.parquet import write_parquet
from deephar.formats import FormatError

LAYOUT = {"name": "two", "joints": ["head", "foot"], "edges": [[0, 1]], "units": {"x": "px", "y": "px"}}
HEAD = {"name": "head", "x": 1.5, "y": 2.0, "score": 0.9}
FOOT = {"name": "foot", "x": None, "y": None, "score": 0.0}
PERSON = {"box": [1, 2, 3, 4], "score": 0.75, "detection_score": 0.5, "keypoints": [HEAD, FOOT]}
ABOUT = {"model": "lite", "version": "1", "layout": LAYOUT}
PICTURE = ABOUT | {"image": {"width": 64, "height": 48}}
TRACKED = {"box": [1, 2, 3, 4], "score": 0.5, "id": 7, "keypoints": [HEAD | {"z": 3.0}, FOOT | {"z": None}]}
JUMP = {"label": "jump", "score": 0.5}


@pytest.fixture
def output(tmp_path: Path) -> Iterator[OutputFolder]:
    output = OutputFolder(tmp_path)
    with output.owned({}):
        yield output


def put(output: OutputFolder, id: str, *lines: dict[str, Any]) -> None:
    output.write(output.result_of(id), b"".join(json.dumps({"file": id, **line}).encode() + b"\n" for line in lines))


def put_video(output: OutputFolder, id: str) -> None:
    put(
        output,
        id,
        {"event": "started", **ABOUT},
        {"event": "pose", "frame_id": 3, "time_s": 0.1, "people": [TRACKED]},
        {
            "event": "answer",
            "model": "lite",
            "version": "1",
            "video": {"width": 640, "height": 480},
            "people": [
                {"person_id": 7, "actions": [JUMP], "reason": None},
                {"person_id": 8, "actions": [], "reason": "too_short"},
            ],
            "segments": [{"start_s": 0.0, "end_s": 1.5, "person_id": 7, **JUMP}],
        },
    )


def rows(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(folder).to_pylist()
    return found


def test_people_have_a_row_each_and_empty_pictures_one(output: OutputFolder) -> None:
    put(output, "a.jpg", PICTURE | {"people": [PERSON, PERSON]})
    put(output, "b.jpg", PICTURE | {"people": []})
    put_video(output, "c.mp4")
    people = rows(write_parquet(output, ["a.jpg", "b.jpg", "c.mp4"]) / "people")
    assert [(row["file"], row["person"], row["score"]) for row in people] == [
        ("a.jpg", 0, 0.75),
        ("a.jpg", 1, 0.75),
        ("b.jpg", None, None),
        ("c.mp4", 7, 0.5),
    ]
    first, video = people[0], people[3]
    assert (first["kind"], first["model"], first["layout"], first["width"], first["frame_id"]) == (
        "picture",
        "lite",
        "two",
        64,
        None,
    )
    assert first["box"] == {"x": 1, "y": 2, "width": 3, "height": 4}
    assert first["keypoints"][1] == {"name": "foot", "x": None, "y": None, "z": None, "score": 0, "position_mm": None}
    assert (video["kind"], video["width"], video["frame_id"], video["keypoints"][0]["z"]) == ("video", 640, 3, 3.0)


def test_actions_of_videos_and_their_segments_have_rows(output: OutputFolder) -> None:
    put_video(output, "c.mp4")
    actions = rows(write_parquet(output, ["c.mp4"]) / "actions")
    assert [(row["person"], row["kind"], row["label"], row["end_s"], row["reason"]) for row in actions] == [
        (7, "video", "jump", None, None),
        (8, "video", None, None, "too_short"),
        (7, "segment", "jump", 1.5, None),
    ]


def test_many_rows_are_several_files_in_order_and_a_second_time_replaces_them(output: OutputFolder) -> None:
    names = [f"{number:03}.jpg" for number in range(25)]
    for name in names:
        put(output, name, PICTURE | {"people": [PERSON]})
    folder = write_parquet(output, names, rows=10)
    files = sorted((folder / "people").iterdir())
    assert [pq.read_metadata(file).num_rows for file in files] == [10, 10, 5]
    assert [row["file"] for file in files for row in rows(file)] == names
    write_parquet(output, names[:3], rows=10)
    assert [row["file"] for row in rows(folder / "people")] == names[:3]
    assert [file.name for file in (output.folder / ".batch/unfinished").iterdir()] == []


def test_a_batch_without_results_has_empty_tables(output: OutputFolder) -> None:
    folder = write_parquet(output, [])
    assert rows(folder / "people") == rows(folder / "actions") == []


def inputs() -> list[Input]:
    return [Input("a.jpg", "", "picture"), Input("b.jpg", "", "picture"), Input("c.mp4", "", "video")]


def test_formats_have_one_file_of_all_pictures_and_one_of_each_video(output: OutputFolder) -> None:
    put(output, "a.jpg", PICTURE | {"people": [PERSON]})
    put(output, "b.jpg", PICTURE | {"people": [PERSON]})
    put_video(output, "c.mp4")
    assert write_format(output, "csv", inputs) == [output.folder / "pictures.csv", output.folder / "csv"]
    pictures = (output.folder / "pictures.csv").read_text()
    assert "a.jpg" in pictures
    assert "b.jpg" in pictures
    assert "c.mp4" not in pictures
    assert "c.mp4" in (output.folder / "csv/c.mp4.csv").read_text()
    assert write_format(output, "coco", inputs)[0] == output.folder / "pictures.json"
    images = json.loads((output.folder / "pictures.json").read_text())["images"]
    assert [(image["file_name"], image["width"]) for image in images] == [("a.jpg", 64), ("b.jpg", 64)]


def test_a_format_that_the_results_have_nothing_for_is_said(output: OutputFolder) -> None:
    put(output, "a.jpg", PICTURE | {"people": [PERSON]})
    put(output, "b.jpg", PICTURE | {"people": [PERSON]})
    with pytest.raises(FormatError, match="add --events"):
        write_format(output, "mot", lambda: inputs()[:2])
