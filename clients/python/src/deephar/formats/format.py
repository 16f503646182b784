"""A format by its name, and how it is written: piece by piece, so that answers of any length need little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from deephar.formats.poses import WITHOUT_IDS, FormatError, Poses

Layout = Mapping[str, Any]  # as in REST's JSON: name, joints, edges, units


class Writer(Protocol):
    """One document in the making. What its methods return, joined, is its text."""

    def begin(self) -> str: ...

    def add(self, poses: Poses) -> str:
        """Returns what can be said already of the next picture or frame.

        Raises:
            FormatError: Something is missing that the format needs.
        """

    def end(self) -> Iterator[str]: ...

    def close(self) -> None:
        """Removes what was set aside on disk."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format that poses are written in."""

    name: str
    media_type: str
    suffix: str  # of files
    about: str
    open: Callable[[Layout, int | None], Writer]
    layout: str | None = None  # that its readers expect; None: any
    needs: Literal["ids", "depth"] | None = None

    def check(self, layout: Layout, has_ids: bool, person_id: int | None = None) -> None:
        """Raises `FormatError` where answers of this kind cannot be written.

        Args:
            layout: Of the answer, as JSON.
            has_ids: Whether people have ids, as those in videos do.
            person_id: Of the only person to write.
        """
        if self.needs == "ids" and not has_ids:
            raise FormatError(WITHOUT_IDS)
        if self.needs == "depth" and "z" not in layout["units"]:
            raise FormatError("trc is of joints in space, and this model knows no depth; choose another model")
        if person_id is not None and self.needs != "depth":
            raise FormatError(f"person_id is of trc; {self.name} has everybody, leave it out")

    def chunks(self, poses: Iterable[Poses], layout: Layout, person_id: int | None = None) -> Iterator[str]:
        """Yields the text of a document, piece by piece.

        Args:
            poses: One picture, or several, or the frames of a video.
            layout: Of all of them, as JSON.
            person_id: Of the person to write, where a file has only one; None: the one who is in most frames.

        Raises:
            FormatError: Something is missing that the format needs.
        """
        self.check(layout, has_ids=True, person_id=person_id)
        with closing(self.open(layout, person_id)) as writer:
            yield writer.begin()
            for each in poses:
                yield writer.add(each)
            yield from writer.end()
