"""People as the drawing takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deephar.results import Layout, Person

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def draw(picture: NDArray[np.uint8], people: Sequence[Person], layout: Layout) -> NDArray[np.uint8]:
    """Returns a copy of a picture (H, W, 3) in RGB with the skeletons of people drawn in."""
    from deephar.drawing import Drawn, draw_people  # type: ignore[import-not-found]

    drawn = []
    for person in people:
        points, scores = person.to_numpy()
        drawn.append(Drawn(points[0, :, :2], scores[0], person.box, "" if person.id is None else str(person.id)))
    image: NDArray[np.uint8] = draw_people(picture.copy(), drawn, layout.joints, layout.edges)
    return image
