"""Plots the training curves from the logs, for the model card.

python -m models.lite.plot_training --out build/lite
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT = 470, 260, 46, 44, 30, 14
INK, GRID = (60, 60, 60), (228, 228, 228)
COLOURS = ((60, 60, 200), (200, 110, 30))  # BGR: of the loss, of the figure

Log = list[dict[str, Any]]


@dataclass(frozen=True)
class Panel:
    """One training: its log, and which figure is drawn beside the loss."""

    title: str
    log: str
    figure: str
    figure_name: str


PANELS = (
    Panel("frame network", "frame_log.jsonl", "pck", "PCK@0.2 of held-out people"),
    Panel("person detector", "person_log.jsonl", "ap50", "AP50"),
    Panel("lift", "lift_log.jsonl", "train_error_mm", "MPJPE of training views, mm"),
    Panel("clip network", "clip_log.jsonl", "train_accuracy", "windows named right in training"),
)


def draw(panel: Panel, lines: Log) -> NDArray[np.uint8]:
    canvas = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    _write(canvas, f"{panel.title}, {len(lines)} passes", 10, 16)
    for tenth in range(0, 11, 2):
        y = _place(1, 2, tenth / 10)[1]
        cv2.line(canvas, (LEFT, y), (WIDTH - RIGHT, y), GRID, 1)
    curves = {"loss": [line["loss"] for line in lines]}
    if all(panel.figure in line for line in lines):
        curves[panel.figure_name] = [line[panel.figure] for line in lines]
    for (name, values), colour, x in zip(curves.items(), COLOURS, (10, 160), strict=False):
        largest = max(values if name == "loss" else [1.0, *values])
        points = [_place(i + 1, len(values), value / largest) for i, value in enumerate(values)]
        cv2.polylines(canvas, [np.array(points, np.int32)], False, colour, 2, cv2.LINE_AA)
        _write(canvas, f"{name}: {values[0]:.3g} to {values[-1]:.3g}", x, 34, colour)
    for i in _changes([line.get("size") for line in lines]):
        x = _place(i + 1, len(lines), 0)[0]
        cv2.line(canvas, (x, TOP), (x, HEIGHT - BOTTOM), (190, 190, 190), 1)
        _write(canvas, f"{lines[i]['size']} px", x + 3, HEIGHT - 10)
    return canvas


def _changes(values: Sequence[object]) -> list[int]:
    return [i for i, value in enumerate(values) if value is not None and (i == 0 or value != values[i - 1])]


def _place(number: int, count: int, share: float) -> tuple[int, int]:
    x = LEFT + (WIDTH - LEFT - RIGHT) * (number - 1) / max(1, count - 1)
    return round(x), round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share)


def _write(canvas: NDArray[np.uint8], text: str, x: int, y: int, colour: tuple[int, int, int] = INK) -> None:
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)


def plot(out: Path, file: Path) -> None:
    """Draws those of the trainings whose logs there are."""
    logs = {
        panel: [json.loads(line) for line in (out / panel.log).read_text().splitlines()]
        for panel in PANELS
        if (out / panel.log).exists()
    }
    panels = [draw(panel, lines) for panel, lines in logs.items()]
    if len(panels) % 2:
        panels.append(np.full_like(panels[0], 255))
    cv2.imwrite(str(file), np.vstack([np.hstack(panels[i : i + 2]) for i in range(0, len(panels), 2)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/lite"), help="folder of the logs")
    parser.add_argument("--file", type=Path, default=Path(__file__).with_name("training.png"))
    arguments = parser.parse_args()
    plot(arguments.out, arguments.file)


if __name__ == "__main__":
    main()
