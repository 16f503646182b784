"""Which detection belongs to which track."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from service.vision.boxes import Box, as_rows, iou


def matched(tracks: Sequence[Box], detections: Sequence[Box], min_iou: float) -> dict[int, int]:
    """Returns detection by track, as indices: the pair with the highest IoU first, each track and detection once."""
    overlaps = iou(as_rows(tracks), as_rows(detections))
    matches: dict[int, int] = {}
    for pair in np.argsort(-overlaps, axis=None, kind="stable").tolist():
        t, d = divmod(pair, len(detections))
        if overlaps[t, d] < min_iou:
            break
        if t not in matches and d not in matches.values():
            matches[t] = d
    return matches
