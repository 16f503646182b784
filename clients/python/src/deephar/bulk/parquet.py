"""The results of a batch as two Parquet data sets: people, and actions. Needs pyarrow.

Each run rewrites them from the result files, in memory that does not grow with them. A data set is there as a whole, or
not at all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from deephar.bulk.output_folder import PARQUET, OutputFolder
from deephar.bulk.results import lines_of, poses_in

Row = dict[str, Any]

_BOX = pa.struct([(name, pa.float32()) for name in ("x", "y", "width", "height")])
_PLACE = pa.struct([(name, pa.float32()) for name in "xyz"])
_KEYPOINT = pa.struct(
    [
        ("name", pa.string()),
        ("x", pa.float32()),
        ("y", pa.float32()),
        ("z", pa.float32()),
        ("score", pa.float32()),
        ("position_mm", _PLACE),
    ]
)
PEOPLE = pa.schema(
    [
        ("file", pa.string()),
        ("kind", pa.string()),
        ("model", pa.string()),
        ("version", pa.string()),
        ("layout", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("frame_id", pa.int64()),
        ("time_s", pa.float64()),
        ("person", pa.int32()),
        ("score", pa.float32()),
        ("detection_score", pa.float32()),
        ("box", _BOX),
        ("keypoints", pa.list_(_KEYPOINT)),
    ]
)
ACTIONS = pa.schema(
    [
        ("file", pa.string()),
        ("model", pa.string()),
        ("version", pa.string()),
        ("person", pa.int32()),
        ("kind", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("label", pa.string()),
        ("score", pa.float32()),
        ("reason", pa.string()),
    ]
)
_ROWS = 20_000  # of a file
_GROUP = 2_000  # of a row group: what is held in memory


def write_parquet(output: OutputFolder, ids: Iterable[str], rows: int = _ROWS) -> Path:
    """Writes the data sets `people` and `actions` in the folder `parquet`, and returns it.

    Args:
        output: With the results; owned by this process.
        ids: The inputs that have one, in the order of the rows.
        rows: In one file.
    """
    target = output.folder / PARQUET
    with output.unfinished() as unfinished:
        people = _Parts(Path(unfinished) / "people", PEOPLE, rows)
        actions = _Parts(Path(unfinished) / "actions", ACTIONS, rows)
        try:
            for id in ids:
                people.extend(_people(output, id))
                actions.extend(_actions(output, id))
            people.close()
            actions.close()
            if target.exists():
                with output.unfinished() as former:
                    os.replace(target, former)
                    output.finish(unfinished, target)
                    shutil.rmtree(former)
            else:
                output.finish(unfinished, target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return target


class _Parts:
    """Writes a data set as files with a fixed number of rows; at least one file."""

    def __init__(self, folder: Path, schema: pa.Schema, rows: int) -> None:
        self._folder, self._schema, self._most = folder, schema, rows
        self._held: list[Row] = []
        self._writer: pq.ParquetWriter | None = None
        self._files = self._written = 0
        folder.mkdir(parents=True)

    def extend(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._held.append(row)
            if len(self._held) >= min(_GROUP, self._most - self._written):
                self._flush()

    def close(self) -> None:
        if self._held or not self._files:
            self._flush()
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        if self._writer is None:
            path = self._folder / f"part-{self._files:05}.parquet"
            self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
            self._files += 1
        self._writer.write_table(pa.Table.from_pylist(self._held, schema=self._schema))
        self._written += len(self._held)
        self._held.clear()
        if self._written >= self._most:
            self._writer.close()
            self._writer, self._written = None, 0


def _people(output: OutputFolder, id: str) -> Iterator[Row]:
    """Yields a row for each person of a picture or frame, and one without a person where nobody was seen."""
    for poses in poses_in(output, id):
        about, size = poses.about, poses.size
        row = {
            "file": _text(poses.file),
            "kind": poses.kind,
            "model": about.get("model"),
            "version": about.get("version"),
            "layout": (about.get("layout") or {}).get("name"),
            "width": size.get("width"),
            "height": size.get("height"),
            "frame_id": poses.frame_id,
            "time_s": poses.time_s,
        }
        for number, person in enumerate(poses.people):
            yield row | {
                "person": person.get("id", number),
                "score": person["score"],
                "detection_score": person.get("detection_score"),
                "box": dict(zip(("x", "y", "width", "height"), person["box"], strict=True)),
                "keypoints": [_keypoint(point) for point in person["keypoints"]],
            }
        if not poses.people:
            yield row


def _keypoint(point: dict[str, Any]) -> Row:
    place = point.get("position_mm")
    return point | {"position_mm": dict(zip("xyz", place, strict=True))} if place else point


def _actions(output: OutputFolder, id: str) -> Iterator[Row]:
    """Yields the actions of each person of a video, over all of it, and the segments."""
    for line in lines_of(output, id):
        if line.get("event") != "answer":
            continue
        common = {"file": _text(line["file"]), "model": line["model"], "version": line["version"]}
        for person in line["people"]:
            of_person = common | {"person": person["person_id"], "kind": "video", "reason": person.get("reason")}
            for action in person["actions"] or [{}]:
                yield of_person | action
        for segment in line["segments"]:
            span = {name: segment[name] for name in ("start_s", "end_s", "label", "score")}
            yield common | {"person": segment["person_id"], "kind": "segment"} | span


def _text(name: str) -> str:
    """Returns a file's name as UTF-8, which Parquet's texts are."""
    return name.encode(errors="replace").decode()
