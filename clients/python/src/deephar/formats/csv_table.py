"""CSV by RFC 4180: one row for each joint of each person."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from deephar.formats.format import Layout
from deephar.formats.poses import Poses, encodable, rounded, rounded_score

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets compute, where a cell begins with it
COLUMNS = ("file", "frame", "time_s", "person", "joint", "x", "y", "z", "score")


class CsvWriter:
    """Rows as they come. What is not known is empty: the time of pictures, places of missing joints."""

    def __init__(self, _: Layout, __: int | None) -> None:
        self._text = io.StringIO()
        self._rows = csv.writer(self._text)

    def begin(self) -> str:
        self._rows.writerow(COLUMNS)
        return self._taken()

    def add(self, poses: Poses) -> str:
        name = encodable(poses.file_name or "")
        if name.startswith(_FORMULAS):
            name = f"./{name}"  # the same file
        where = (name, poses.frame_id, None if poses.time_s is None else round(poses.time_s, 6))
        for person_id, person in poses.numbered():
            for joint in person["keypoints"]:
                place = [None if joint.get(axis) is None else rounded(joint[axis]) for axis in "xyz"]
                self._rows.writerow((*where, person_id, joint["name"], *place, rounded_score(joint["score"])))
        return self._taken()

    def end(self) -> Iterator[str]:
        return iter(())

    def close(self) -> None:
        self._text.close()

    def _taken(self) -> str:
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return text
