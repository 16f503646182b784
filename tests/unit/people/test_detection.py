from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.networks.card import PersonCard
from service.people.detector import detections
from service.people.tiles import Tile, tiles_of
from service.vision.boxes import Box, as_rows, iou, nms
from service.vision.crops import letterbox

CARD = PersonCard(
    description="", size=256, threshold=0.4, overlap=0.5, weights="", weights_sha256="", licence="", precision=""
)


@given(st.integers(1, 900), st.integers(1, 900))
def test_letterbox_puts_a_picture_of_any_shape_at_the_top_left(width: int, height: int) -> None:
    square = letterbox(np.full((height, width, 3), 200, np.uint8), 64)
    assert square.shape == (64, 64, 3)
    rows, columns = np.any(square > 0, axis=(1, 2)).sum(), np.any(square > 0, axis=(0, 2)).sum()
    assert max(rows, columns) == 64
    assert rows == max(1, round(64 * height / max(width, height)))
    assert square[0, 0].tolist() == [200, 200, 200]


def test_detections_are_in_pixels_by_descending_score_after_nms_and_cut_at_the_edge() -> None:
    boxes = np.array([[0.1, 0.1, 0.2, 0.4], [0.11, 0.1, 0.2, 0.4], [0.7, 0.2, 0.5, 0.2], [0, 0, 1, 1]], np.float32)
    scores = np.array([0.6, 0.9, 0.5, 0.3], np.float32)
    first, second = detections(boxes[None], scores[None], [Tile(0, 0, 640, 480)], CARD)
    assert np.allclose([first.score, second.score], [0.9, 0.5])
    assert np.allclose([first.box.x, first.box.y, first.box.width, first.box.height], [70.4, 64, 128, 256], atol=1e-3)
    assert np.allclose([second.box.x, second.box.width], [448, 192], atol=1e-3)


def test_a_box_outside_of_the_picture_is_no_detection() -> None:
    boxes = np.array([[0.2, 0.8, 0.2, 0.2]], np.float32)  # of the square's black part
    assert detections(boxes[None], np.array([[0.9]], np.float32), [Tile(0, 0, 640, 320)], CARD) == []


numbers = st.floats(0, 100)
boxes_of = st.builds(Box, numbers, numbers, st.floats(0.1, 100), st.floats(0.1, 100))


@given(boxes_of, boxes_of)
def test_iou_is_symmetric_between_0_and_1_and_1_with_itself(a: Box, b: Box) -> None:
    overlaps = iou(as_rows([a, b]), as_rows([a, b]))
    assert overlaps[0, 1] == overlaps[1, 0]
    assert 0 <= overlaps[0, 1] <= 1 + 1e-9
    assert np.allclose(np.diag(overlaps), 1)


def test_nms_keeps_the_best_of_what_overlaps() -> None:
    boxes = np.array([[12, 11, 20, 40], [10, 10, 20, 40], [50, 10, 20, 40]], np.float32)
    assert nms(boxes, np.array([0.7, 0.9, 0.8], np.float32), 0.5).tolist() == [1, 2]
    assert nms(boxes[:0], np.zeros(0), 0.5).tolist() == []


@given(st.integers(1, 9000), st.integers(1, 9000), st.integers(1, 31))
def test_tiles_cover_a_large_picture_and_overlap(width: int, height: int, most: int) -> None:
    tiles = tiles_of(width, height, 288, most)
    assert (tiles == []) == (max(width, height) < 7 * 288)
    assert len(tiles) <= most
    covered = np.zeros((height // 10 + 1, width // 10 + 1), bool)
    for tile in tiles:
        assert 0 <= tile.left <= tile.left + tile.width <= width
        assert 0 <= tile.top <= tile.top + tile.height <= height
        rows = slice(tile.top // 10, (tile.top + tile.height) // 10 + 1)
        covered[rows, tile.left // 10 : (tile.left + tile.width) // 10 + 1] = True
    assert covered.all() or not tiles


def test_no_tiles_where_none_are_wanted() -> None:
    assert tiles_of(8000, 6000, 288, 0) == []


def in_looks(looks: list[Tile], people: list[tuple[float, float, float, float]]) -> list[Box]:
    """What is detected where each look shows all people as far as they are in it."""
    boxes, scores = np.zeros((len(looks), 10, 4), np.float32), np.zeros((len(looks), 10), np.float32)
    for look, rows, sure in zip(looks, boxes, scores, strict=True):
        side = max(look.width, look.height)
        for row, (x, y, width, height) in enumerate(people):
            low = np.clip([x - look.left, y - look.top], 0, [look.width, look.height])
            high = np.clip([x + width - look.left, y + height - look.top], 0, [look.width, look.height])
            if ((high - low) > 4).all():
                rows[row] = np.concatenate([low, high - low]) / side
                sure[row] = 0.8 if height > 0.05 * side else 0.1
    return [detection.box for detection in detections(boxes, scores, looks, CARD)]


def test_people_on_the_borders_of_tiles_are_found_once() -> None:
    looks = [Tile(0, 0, 4000, 1500), *tiles_of(4000, 1500, 288, 24)]
    small = [(float(x), 400.0, 70.0, 160.0) for x in range(100, 3900, 400)]
    found = in_looks(looks, small)
    assert sorted(round(box.x) for box in found) == [round(x) for x, *_ in small]
    assert all(abs(box.width - 70) < 1 and abs(box.height - 160) < 1 for box in found)


def test_parts_of_a_large_person_are_no_people() -> None:
    looks = [Tile(0, 0, 4000, 3000), *tiles_of(4000, 3000, 288, 24)]
    large = (1200.0, 300.0, 1100.0, 2500.0)
    assert [round(box.height) for box in in_looks(looks, [large])] == [2500]
