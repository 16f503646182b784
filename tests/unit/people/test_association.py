from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.people.association import matched
from service.vision.boxes import Box, as_rows, iou

sides = st.floats(1, 50)
boxes = st.lists(st.builds(Box, st.floats(0, 60), st.floats(0, 60), sides, sides), max_size=5)


def test_the_best_pair_comes_first() -> None:
    """The first track's best detection is the second track's own: it must not take it away."""
    tracks = [Box(0, 0, 10, 10), Box(4, 0, 10, 10)]
    detections = [Box(4, 0, 10, 10), Box(-3, 0, 10, 10)]
    assert matched(tracks, detections, 0.3) == {0: 1, 1: 0}


@given(boxes, boxes)
def test_each_is_matched_once_at_most_and_above_the_threshold(tracks: list[Box], detections: list[Box]) -> None:
    matches = matched(tracks, detections, 0.3)
    overlaps = iou(as_rows(tracks), as_rows(detections))
    assert len(set(matches.values())) == len(matches)
    assert all(overlaps[t, d] >= 0.3 for t, d in matches.items())
    unmatched = [(t, d) for t in range(len(tracks)) for d in range(len(detections))]
    assert all(overlaps[t, d] < 0.3 for t, d in unmatched if t not in matches and d not in matches.values())
