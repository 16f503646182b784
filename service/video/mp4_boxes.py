"""Counts the samples that an MP4 or MOV declares: FFmpeg allocates memory for all of them when it opens the file.

Boxes and fields: ISO/IEC 14496-12, and Apple's QuickTime File Format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from service.errors import InvalidVideo

MOST_SAMPLES = 2_000_000  # of video and sound, times the edits that repeat them; FFmpeg takes 24 bytes for each
MOST_BOXES = 300_000
MOST_TOP_BOXES = 10_000
_CONTAINERS = frozenset(b"moov trak mdia minf stbl edts mvex moof traf udta meta clip wave gmhd dinf tref".split())
_DEEPEST = 16


def check_counts(file: BinaryIO) -> None:
    """Checks the declared numbers of samples and boxes. Leaves the file at its start.

    Raises:
        InvalidVideo: They are larger than any real video's, or cannot be known.
    """
    file.seek(0, 2)
    size = file.tell()
    counter = _Counter(file, size)
    try:
        counter.walk(0, size, 0)
        counter.end_track()
    finally:
        file.seek(0)
    if counter.samples > MOST_SAMPLES or counter.boxes > MOST_BOXES:
        raise InvalidVideo("the video says that it has millions of pictures; it is damaged, or must be cut")


def lacks_index(file: BinaryIO) -> bool:
    """Whether this is an MP4 or MOV without all of `moov`, the index of its pictures. Leaves the file at its start."""
    size = file.seek(0, 2)
    boxes = [box for box, _ in zip(_Counter(file, size).boxes_of(0, size), range(MOST_TOP_BOXES), strict=False)]
    file.seek(0)
    kinds = {box.kind for box in boxes}
    if not boxes or boxes[0].kind not in (b"ftyp", b"free", b"wide", b"skip", b"mdat", b"moov"):
        return False
    return b"moov" not in kinds or (boxes[-1].kind == b"moov" and boxes[-1].is_cut)


class _Box(NamedTuple):
    kind: bytes
    start: int  # of its body
    end: int
    is_cut: bool  # it says that it ends later


@dataclass
class _Track:
    is_sound: bool = False
    samples: int = 0  # the largest count of its tables
    edits: int = 1
    one_by_one: bool = False  # samples of PCM, which FFmpeg reads in groups of a thousand


class _Counter:
    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size
        self._track = _Track()
        self.boxes = self.samples = 0

    def walk(self, start: int, end: int, depth: int) -> None:
        for box in self.boxes_of(start, end):
            self.boxes += 1
            if self.boxes > MOST_BOXES:
                return
            if box.kind in _CONTAINERS and depth < _DEEPEST:
                if box.kind == b"trak":
                    self.end_track()
                self.walk(box.start, box.end, depth + 1)
            else:
                self._read(box)

    def end_track(self) -> None:
        track, self._track = self._track, _Track()
        if track.is_sound and track.one_by_one:
            track.samples = max(0, track.samples - self._size)
        self.samples += track.samples * track.edits

    def boxes_of(self, start: int, end: int) -> Iterator[_Box]:
        while start + 8 <= end:
            head = self._bytes(start, 16)
            size, kind, header = int.from_bytes(head[:4], "big"), head[4:8], 8
            if size == 1:
                size, header = int.from_bytes(head[8:], "big"), 16
            elif size == 0:
                size = end - start
            if size < header:
                return
            yield _Box(kind, start + header, min(start + size, end), start + size > end)
            start += size

    def _read(self, box: _Box) -> None:
        """Reads the counts of a box; its fields begin after 4 bytes of version and flags."""
        track, start, room = self._track, box.start + 4, box.end - box.start - 4
        if box.kind == b"cmov":
            raise InvalidVideo("the video's index is compressed, as was done in the 1990s; convert it to MP4")
        if box.kind == b"hdlr" and (of := self._bytes(start + 4, 4)) in (b"soun", b"vide"):
            track.is_sound = of == b"soun"
        elif box.kind in (b"stsz", b"stz2"):
            track.samples = max(track.samples, self._number(start + 4))
        elif box.kind in (b"stts", b"ctts"):
            runs = self._bytes(start + 4, min(8 * self._number(start), room - 4, 8 * MOST_SAMPLES))
            counts = list(struct.iter_unpack(">II", runs[: len(runs) // 8 * 8]))
            track.samples = max(track.samples, sum(count for count, _ in counts))
            if box.kind == b"stts":
                track.one_by_one = len(counts) == 1 and counts[0][1] == 1
        elif box.kind == b"elst":
            track.edits = max(1, min(self._number(start), room // 12))
        elif box.kind == b"trun":
            self.samples += self._number(start)

    def _number(self, place: int) -> int:
        return int.from_bytes(self._bytes(place, 4), "big")

    def _bytes(self, place: int, count: int) -> bytes:
        self._file.seek(place)
        return self._file.read(max(0, count))
