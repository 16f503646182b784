"""TRC, a table of markers in space for one person, as OpenSim reads it: millimetres, y up, z towards the camera."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from deephar.formats.aside import Aside
from deephar.formats.format import Layout
from deephar.formats.poses import FormatError, Poses, encodable
from deephar.formats.space import Place, places_mm

_MISSING = "NaN"  # some readers split lines at any white space, and take the next marker for an empty one


class TrcWriter:
    """The header has the number of frames and who is in most of them: all waits on disk for the end."""

    def __init__(self, layout: Layout, person_id: int | None) -> None:
        self._joints: Sequence[str] = layout["joints"]
        self._person_id = person_id
        self._rows = Aside()
        self._counts = Counter[int]()  # frames by person
        self._known: set[int] = set()  # joints that have a place in some frame
        self._frames = 0
        self._name = "poses"
        self._span = (0.0, 0.0)  # times of the first and of the last frame

    def begin(self) -> str:
        return ""

    def add(self, poses: Poses) -> str:
        # Pictures have no time: a second lies between them.
        time_s = float(self._frames) if poses.time_s is None else poses.time_s
        if not self._frames:
            self._span = time_s, time_s
            self._name = PurePath(poses.file_name or self._name).stem
        self._frames, self._span = self._frames + 1, (self._span[0], time_s)
        people = {}
        for person_id, person in poses.numbered():
            if self._person_id in (None, person_id):
                places = people[person_id] = places_mm(person)
                self._counts[person_id] += 1
                self._known |= {i for i, place in enumerate(places) if place is not None}
        self._rows.write(json.dumps([time_s, list(people.items())]) + "\n")
        return ""

    def end(self) -> Iterator[str]:
        if self._person_id is not None and self._frames and not self._counts:
            raise FormatError(f"there is no person with person_id {self._person_id}; leave it out for the main one")
        chosen = max(sorted(self._counts), key=lambda person_id: self._counts[person_id], default=None)
        markers = sorted(self._known) or list(range(len(self._joints)))
        yield self._header([self._joints[i] for i in markers])
        for number, line in enumerate(self._rows.from_the_start(), 1):
            time_s, people = json.loads(line)
            places = dict(people).get(chosen) or [None] * len(self._joints)
            yield "\t".join([str(number), f"{time_s:.6f}", *(_text(places[i]) for i in markers)]) + "\n"

    def close(self) -> None:
        self._rows.close()

    def _header(self, markers: Sequence[str]) -> str:
        rate = (self._frames - 1) / (self._span[1] - self._span[0]) if self._span[1] > self._span[0] else 1.0
        values = {
            "DataRate": f"{rate:.6g}",
            "CameraRate": f"{rate:.6g}",
            "NumFrames": str(self._frames),
            "NumMarkers": str(len(markers)),
            "Units": "mm",
            "OrigDataRate": f"{rate:.6g}",
            "OrigDataStartFrame": "1",
            "OrigNumFrames": str(self._frames),
        }
        lines = [
            f"PathFileType\t4\t(X/Y/Z)\t{_one_word(self._name)}.trc",
            "\t".join(values),
            "\t".join(values.values()),
            "Frame#\tTime\t" + "\t\t\t".join(markers) + "\t\t",
            "\t\t" + "\t".join(f"X{i}\tY{i}\tZ{i}" for i in range(1, len(markers) + 1)),
            "",
        ]
        return "\n".join(lines) + "\n"


def _text(place: Place | None) -> str:
    """Returns a place with y up and z towards the camera: turned about x by half a turn."""
    if place is None:
        return "\t".join([_MISSING] * 3)
    x, y, z = place
    return f"{x:.3f}\t{0.0 - y:.3f}\t{0.0 - z:.3f}"  # 0.0 - y: never -0.000


def _one_word(name: str) -> str:
    return "_".join(encodable(name).split()) or "poses"
