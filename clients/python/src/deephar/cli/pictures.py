"""Pictures with skeletons drawn in, as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deephar.cli.exits import Failure
from deephar.cli.output import whole_file
from deephar.cli.targets import PICTURES
from deephar.drawn import NEEDS_DRAW

if TYPE_CHECKING:
    from deephar.results import PoseAnswer


def check_can_draw() -> None:
    """Raises `Failure` where what draws pictures is not installed."""
    try:
        import cv2  # noqa: F401
    except ModuleNotFoundError:
        raise Failure(NEEDS_DRAW) from None


def draw_into(target: Path, content: bytes, answer: PoseAnswer) -> None:
    """Draws the people of an answer into a copy of their picture.

    Raises:
        Failure: The picture cannot be read here.
        OSError: The file cannot be written.
    """
    import cv2

    from deephar.decoded import NotDecoded, decoded

    try:
        drawn = answer.draw(decoded(content, answer.image))
    except NotDecoded as error:
        raise Failure(str(error)) from None
    suffix = target.suffix if target.suffix.lower() in PICTURES else PICTURES[0]  # of a device
    _, encoded = cv2.imencode(suffix, cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
    with whole_file(target) as file:
        file.write_bytes(encoded.tobytes())
