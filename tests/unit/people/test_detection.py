from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.networks.card import PersonCard
from service.people.detector import detections
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
    first, second = detections(boxes, scores, 640, 480, CARD)
    assert np.allclose([first.score, second.score], [0.9, 0.5])
    assert np.allclose([first.box.x, first.box.y, first.box.width, first.box.height], [70.4, 64, 128, 256], atol=1e-3)
    assert np.allclose([second.box.x, second.box.width], [448, 192], atol=1e-3)


def test_a_box_outside_of_the_picture_is_no_detection() -> None:
    boxes = np.array([[0.2, 0.8, 0.2, 0.2]], np.float32)  # of the square's black part
    assert detections(boxes, np.array([0.9], np.float32), 640, 320, CARD) == []


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
