"""Formats of other programs for poses. Needs the standard library alone; the service writes with the same code.

>>> from deephar.formats import FORMATS, Poses
>>> answer = client.pose("person.jpg", layout="coco17").to_dict()
>>> text = "".join(FORMATS["coco"].chunks([Poses.of_picture(answer, "person.jpg")], answer["layout"]))
"""

from deephar.formats.coco import CocoWriter
from deephar.formats.csv_table import CsvWriter
from deephar.formats.format import Format, Writer
from deephar.formats.mot import MotWriter
from deephar.formats.openpose import OpenPoseWriter
from deephar.formats.poses import FormatError, Poses
from deephar.formats.trc import TrcWriter

__all__ = ["FORMATS", "Format", "FormatError", "Poses", "Writer"]

FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format(
            "coco",
            "application/vnd.coco+json",
            ".json",
            "COCO keypoints: images, annotations and a category",
            CocoWriter,
            layout="coco17",
        ),
        Format(
            "openpose",
            "application/vnd.openpose+ndjson",
            ".json",
            "OpenPose's JSON: a document for each picture or frame, each a line",
            OpenPoseWriter,
            layout="openpose18",
        ),
        Format("csv", "text/csv", ".csv", "a table with a row for each joint", CsvWriter),
        Format("mot", "text/vnd.motchallenge", ".txt", "MOTChallenge's lines of tracks", MotWriter, needs="ids"),
        Format("trc", "text/vnd.opensim.trc", ".trc", "markers of one person in space", TrcWriter, needs="depth"),
    )
}
