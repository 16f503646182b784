"""The people of an answer as `deephar.drawing` takes them."""

from __future__ import annotations

from deephar import drawing

from service.pipeline.answers import Person
from service.vision.crops import Image
from service.vision.layouts import Layout


def drawn(person: Person, label: str = "") -> drawing.Drawn:
    """Returns a person as they are drawn.

    Args:
        person: Keypoints are in pixels of the picture.
        label: The caption.
    """
    box = person.box
    return drawing.Drawn(person.keypoints_px, person.scores, (box.x, box.y, box.width, box.height), label)


def draw_people(image: Image, people: list[Person], layout: Layout) -> Image:
    """Returns a copy of the picture (H, W, 3), RGB, with the skeletons of people in this layout."""
    return drawing.draw_people(image, [drawn(person) for person in people], layout.joints, layout.edges)
