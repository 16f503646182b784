"""MOTChallenge's text of tracks: frame, id, left, top, width, height, confidence, -1, -1, -1."""

from __future__ import annotations

from collections.abc import Iterator

from deephar.formats.format import Layout
from deephar.formats.poses import WITHOUT_IDS, FormatError, Poses, rounded, rounded_score


class MotWriter:
    """Lines as they come. Frames count from 1."""

    def __init__(self, _: Layout, __: int | None) -> None:
        pass

    def begin(self) -> str:
        return ""

    def add(self, poses: Poses) -> str:
        lines = []
        for person in poses.people:
            if person.get("id") is None:
                raise FormatError(WITHOUT_IDS)
            box = ",".join(str(rounded(number)) for number in person["box"])
            score = rounded_score(person["score"])
            lines.append(f"{poses.frame_id + 1},{person['id']},{box},{score},-1,-1,-1\n")
        return "".join(lines)

    def end(self) -> Iterator[str]:
        return iter(())

    def close(self) -> None:
        pass
