"""The lines of a batch's results: how they are written, and read again for tables and other formats."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deephar.bulk.inputs import Kind
from deephar.bulk.output_folder import OutputFolder


@dataclass(frozen=True)
class Poses:
    """The people of a picture, or of a frame of a video."""

    file: str
    kind: Kind
    about: dict[str, Any]  # the line of the picture, or the video's event `started`: model, version, layout
    size: dict[str, Any]  # width and height
    frame_id: int | None
    time_s: float | None
    people: list[dict[str, Any]]


def line_of(id: str, answer: dict[str, Any]) -> bytes:
    """Returns a line of a result: the input's name and the answer, or an event."""
    return json.dumps({"file": id, **answer}, separators=(",", ":")).encode() + b"\n"


def lines_of(output: OutputFolder, id: str) -> Iterator[dict[str, Any]]:
    """Yields the lines of an input's result."""
    with open(output.result_of(id), "rb") as lines:
        for line in lines:
            yield json.loads(line)


def poses_in(output: OutputFolder, id: str) -> Iterator[Poses]:
    """Yields a picture's people, or those of each frame of a video whose events were kept."""
    about: dict[str, Any] = {}
    size = None
    for line in lines_of(output, id):
        event = line.get("event")
        if event is None:
            yield Poses(line["file"], "picture", line, line["image"], None, None, line["people"])
        elif event == "started":
            about, size = line, size or _size_of_video(output, id)
        elif event == "pose":
            yield Poses(line["file"], "video", about, size or {}, line["frame_id"], line["time_s"], line["people"])


def _size_of_video(output: OutputFolder, id: str) -> dict[str, Any]:
    """Returns width and height, which the last line has."""
    last: dict[str, Any] = {}
    for last in lines_of(output, id):  # noqa: B007 - the last one is wanted
        pass
    return last.get("video") or {}
