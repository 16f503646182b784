"""People as the drawing takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deephar.errors import MissingExtra
from deephar.results import Layout, Person

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEEDS_DRAW = 'to draw needs OpenCV, which is not installed: pip install "deephar-client[draw]"'


def draw(picture: NDArray[np.uint8], people: Sequence[Person], layout: Layout) -> NDArray[np.uint8]:
    """Returns a copy of a picture (H, W, 3) in RGB with the skeletons of people drawn in.

    Raises:
        MissingExtra: OpenCV is not installed.
    """
    try:
        from deephar.drawing import Drawn, draw_people
    except ModuleNotFoundError as error:
        raise MissingExtra(NEEDS_DRAW) from error

    drawn = []
    for person in people:
        points, scores = person.to_numpy()
        drawn.append(Drawn(points[0, :, :2], scores[0], person.box, "" if person.id is None else str(person.id)))
    return draw_people(picture, drawn, layout.joints, layout.edges)
