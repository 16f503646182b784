"""The model card's pictures of what `make evaluate-lite` measured: the confusion matrix, and skeletons that went wrong.

Skeletons are drawn without the photographs that they come from, which are not ours to show.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.accuracy.pose import Answers
from models.lite.frame.data import LSP_TO_PA16
from models.lite.layout import ACTIONS, FLIP
from service.vision.layouts import LAYOUTS

Image = NDArray[np.uint8]
FONT = cv2.FONT_HERSHEY_SIMPLEX
INK, PALE = (50, 50, 50), (200, 200, 200)
CELL, SIDE_PX, TOP_PX = 30, 150, 120
TILE, TILES_A_ROW = 190, 4
RIGHT, LEFT, MIDDLE = (55, 100, 240), (235, 150, 60), (90, 170, 90)  # BGR


def confusion_matrix(figures: dict[str, Any], file: Path) -> None:
    """Rows are the clips' actions, columns what they were named; of clips through the frame network's real errors."""
    counts = np.array(figures["confusion_matrix"])
    names = [*ACTIONS, "none of these"]
    canvas = np.full((TOP_PX + CELL * len(counts) + 12, SIDE_PX + CELL * len(names) + 12, 3), 255, np.uint8)
    for row, name in enumerate(ACTIONS):
        cv2.putText(canvas, name, (6, TOP_PX + CELL * row + 20), FONT, 0.42, INK, 1, cv2.LINE_AA)
    for column, name in enumerate(names):
        _write_upwards(canvas, name, SIDE_PX + CELL * column, TOP_PX - 6)
    for row, column in np.ndindex(counts.shape):
        share = counts[row, column] / max(1, counts[row].sum())
        x, y = SIDE_PX + CELL * column, TOP_PX + CELL * row
        good = row == column
        strength = share if good else min(1.0, 6 * share)
        hue = np.array((110, 160, 60) if good else (60, 60, 220))
        colour = 255 - (255 - hue) * strength * 0.8
        cv2.rectangle(canvas, (x, y), (x + CELL - 2, y + CELL - 2), colour.tolist(), -1)
        if counts[row, column]:
            text = str(counts[row, column])
            cv2.putText(canvas, text, (x + 13 - 4 * len(text), y + 19), FONT, 0.4, INK, 1, cv2.LINE_AA)
    cv2.imwrite(str(file), canvas)


def _write_upwards(canvas: Image, text: str, x: int, bottom: int) -> None:
    strip = np.full((CELL, TOP_PX, 3), 255, np.uint8)
    cv2.putText(strip, text, (2, 20), FONT, 0.42, INK, 1, cv2.LINE_AA)
    canvas[bottom - TOP_PX + 6 : bottom + 6, x : x + CELL] = cv2.rotate(strip, cv2.ROTATE_90_COUNTERCLOCKWISE)


def failures(answers: Answers, file: Path) -> None:
    """People with the most joints wrong: labels in grey, what was found in colour."""
    tiles = [_tile(answers, index, what) for what, index in _chosen(answers)]
    rows = [np.hstack(tiles[i : i + TILES_A_ROW]) for i in range(0, len(tiles), TILES_A_ROW)]
    cv2.imwrite(str(file), np.vstack(rows))


def _chosen(answers: Answers) -> list[tuple[str, int]]:
    """Four people with left and right exchanged and the four with the most joints elsewhere."""
    misses = (~answers.hits & answers.people.valid)[:, LSP_TO_PA16].sum(1)
    flipped = Answers(answers.people, answers.keypoints_px[:, FLIP], answers.scores)
    better_flipped = misses - (~flipped.hits & answers.people.valid)[:, LSP_TO_PA16].sum(1)
    swapped = np.argsort(-better_flipped, kind="stable")[:TILES_A_ROW]
    rest = [i for i in np.argsort(-misses, kind="stable") if i not in swapped][:TILES_A_ROW]
    return [("left and right", int(i)) for i in swapped] + [("elsewhere", int(i)) for i in rest]


def _tile(answers: Answers, index: int, what: str) -> Image:
    layout = LAYOUTS["pa16"]
    canvas = np.full((TILE, TILE, 3), 255, np.uint8)
    truth, found = answers.people.joints[index], answers.keypoints_px[index]
    both = np.concatenate([truth, np.where(np.isfinite(found), found, truth)])
    low, extent = both.min(0), max(float(np.ptp(both, axis=0).max()), 1.0)
    scale = (TILE - 40) / extent

    def place(point: NDArray[np.float32]) -> tuple[int, int]:
        x, y = (point - low) * scale + [20, 26]
        return round(float(x)), round(float(y))

    for joints, colours, thickness in ((truth, False, 5), (found, True, 2)):
        for a, b in layout.edges:
            if np.isfinite(joints[[a, b]]).all():
                name = layout.joints[b] if layout.joints[a] in ("pelvis", "thorax") else layout.joints[a]
                side = RIGHT if name.startswith("right") else LEFT if name.startswith("left") else MIDDLE
                cv2.line(canvas, place(joints[a]), place(joints[b]), side if colours else PALE, thickness, cv2.LINE_AA)
    cv2.putText(canvas, what, (6, 14), FONT, 0.4, INK, 1, cv2.LINE_AA)
    return canvas
