"""What a batch asks for each file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class BatchOptions:
    """Options of a batch, as those of `Client.pose` and `Client.classify` of these names.

    Args:
        events: Whether the result of a video has its events too: poses of the sampled frames, windows, segments.
        annotated: Whether each picture and video is also written with what was found drawn in.
    """

    model: str = ""
    layout: str = ""
    effort: Literal["fast", "balanced", "best"] | None = None
    boxes: tuple[Box, ...] = ()
    camera: tuple[float, ...] | None = None
    max_people: int = 0
    flip: bool = False
    min_score: float | None = None
    people: Literal["main", "all"] = "main"
    hop: int = 0
    top_k: int = 0
    events: bool = False
    annotated: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Returns them as JSON has them."""
        return {name: [list(box) for box in self.boxes] if name == "boxes" else value for name, value in _items(self)}

    def fingerprint(self, root: str) -> dict[str, Any]:
        """Returns what the results in a folder depend on.

        Args:
            root: The folder that the names of inputs are relative to: the same name below another is another file.
        """
        return {"root": root, **self.to_dict()}


def _items(options: BatchOptions) -> list[tuple[str, Any]]:
    known = asdict(options)
    return [(field.name, known[field.name]) for field in fields(options)]
