"""Which detection belongs to which track."""

from __future__ import annotations

from collections.abc import Sequence

from service.vision.boxes import Box, iou


def matched(tracks: Sequence[Box], detections: Sequence[Box], min_iou: float) -> dict[int, int]:
    """Returns detection by track, as indices: the pair with the highest IoU first, each track and detection once."""
    pairs = sorted(
        ((iou(track, detection), t, d) for t, track in enumerate(tracks) for d, detection in enumerate(detections)),
        key=lambda pair: -pair[0],
    )
    matches: dict[int, int] = {}
    for overlap, t, d in pairs:
        if overlap < min_iou:
            break
        if t not in matches and d not in matches.values():
            matches[t] = d
    return matches
