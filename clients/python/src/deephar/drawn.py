"""People as the drawing takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deephar.errors import MissingExtra
from deephar.results import Layout, Person

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deephar.drawing import Drawn

NEEDS_DRAW = 'to draw needs OpenCV, which is not installed: pip install "deephar-client[draw]"'


def draw(picture: NDArray[np.uint8], people: Sequence[Person], layout: Layout) -> NDArray[np.uint8]:
    """Returns a copy of a picture (H, W, 3) in RGB with the skeletons of people drawn in.

    Raises:
        MissingExtra: OpenCV is not installed.
    """
    try:
        from deephar.drawing import draw_people
    except ModuleNotFoundError as error:
        raise MissingExtra(NEEDS_DRAW) from error

    drawn = [drawn_of(person, "" if person.id is None else str(person.id)) for person in people]
    return draw_people(picture, drawn, layout.joints, layout.edges)


def drawn_of(person: Person, label: str = "") -> Drawn:
    """Returns a person as the drawing takes them."""
    from deephar.drawing import Drawn

    arrays = person.to_numpy()
    return Drawn(arrays.keypoints[0, :, :2], arrays.scores[0], person.box, label)
