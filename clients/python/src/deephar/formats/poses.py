"""What formats are made of: people as REST answers them, with where and when they were seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WITHOUT_IDS = "mot is of tracks, and people in pictures have no ids; send a video"


class FormatError(ValueError):
    """The answer lacks what a format needs; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Poses:
    """The people of a picture or of a frame. Coordinates are pixels of it."""

    file_name: str | None  # of the picture or of the video
    frame_id: int  # of a video's frame; of pictures their number; both from 0
    time_s: float | None  # media time of a video's frame; None: a picture
    width: int
    height: int
    people: Sequence[Mapping[str, Any]]  # as in REST's JSON

    @classmethod
    def of_picture(cls, answer: Mapping[str, Any], file_name: str | None = None, number: int = 0) -> Poses:
        """Returns the people of an answer of `/v1/pose`, as JSON."""
        size = answer["image"]
        return cls(file_name, number, None, size["width"], size["height"], answer["people"])

    @classmethod
    def of_frame(cls, event: Mapping[str, Any], width: int, height: int, file_name: str | None = None) -> Poses:
        """Returns the people of an event `pose`, as JSON."""
        return cls(file_name, event["frame_id"], event["time_s"], width, height, event["people"])

    def numbered(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Yields people with their ids; in pictures, where they have none, with their numbers from 1."""
        for number, person in enumerate(self.people, 1):
            person_id = person.get("id")
            yield number if person_id is None else person_id, person


def encodable(name: str) -> str:
    """Returns a name of a file without the bytes that are no UTF-8."""
    return name.encode("utf-8", "replace").decode()


def rounded(value: float) -> float:
    """Returns a coordinate with a thousandth of a pixel or of a millimetre."""
    return round(value, 3)


def rounded_score(value: float) -> float:
    """Returns a score with four digits."""
    return round(value, 4)
