"""The results of a batch read again, one after another: what tables and other formats are made of."""

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
    frame_id: int | None
    time_s: float | None
    people: list[dict[str, Any]]


def lines_of(output: OutputFolder, id: str) -> Iterator[dict[str, Any]]:
    """Yields the lines of an input's result."""
    with open(output.result_of(id), "rb") as lines:
        for line in lines:
            yield json.loads(line)


def poses_in(lines: Iterator[dict[str, Any]]) -> Iterator[Poses]:
    """Yields a picture's people, or those of each frame of a video whose events were kept."""
    started: dict[str, Any] = {}
    for line in lines:
        event = line.get("event")
        if event is None:
            yield Poses(line["file"], "picture", line, None, None, line["people"])
        elif event == "started":
            started = line
        elif event == "pose":
            yield Poses(line["file"], "video", started, line["frame_id"], line["time_s"], line["people"])
