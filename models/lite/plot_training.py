"""Draws the frame network's loss and PCK by pass from its log into the model card's picture."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT, LEFT, BOTTOM = 760, 340, 60, 45


def plot(log: Path, file: Path) -> None:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    canvas = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    passes = len(lines)

    def place(number: int, share: float) -> tuple[int, int]:
        x = LEFT + (WIDTH - LEFT - 20) * (number - 1) / max(1, passes - 1)
        return round(x), round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 25) * share)

    def write(text: str, x: int, y: int, colour: tuple[int, int, int] = (60, 60, 60)) -> None:
        cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)

    for tenth in range(0, 11, 2):
        y = place(1, tenth / 10)[1]
        cv2.line(canvas, (LEFT, y), (WIDTH - 20, y), (225, 225, 225), 1)
        write(f"{10 * tenth} %", 12, y + 4)
    largest = max(line["loss"] for line in lines)
    curves = {
        "PCK@0.2 of held-out people": ([line["pck"] for line in lines], (200, 110, 30)),
        f"loss (100 % = {largest:.2f})": ([line["loss"] / largest for line in lines], (60, 60, 200)),
    }
    for row, (name, (values, colour)) in enumerate(curves.items()):
        points = np.array([place(i + 1, value) for i, value in enumerate(values)], np.int32)
        cv2.polylines(canvas, [points], False, colour, 2, cv2.LINE_AA)
        write(name, WIDTH - 270, 235 + 20 * row, colour)
    for i, line in enumerate(lines):
        if i == 0 or line["size"] != lines[i - 1]["size"]:
            x = place(i + 1, 0)[0]
            cv2.line(canvas, (x, 20), (x, HEIGHT - BOTTOM), (190, 190, 190), 1)
            write(f"{line['size']} px", x + 4, 18)
    write(f"pass 1 to {passes}", WIDTH // 2 - 40, HEIGHT - 14)
    cv2.imwrite(str(file), canvas)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/lite"), help="folder of the log")
    parser.add_argument("--file", type=Path, default=Path(__file__).with_name("training.png"))
    arguments = parser.parse_args()
    plot(arguments.out / "frame_log.jsonl", arguments.file)


if __name__ == "__main__":
    main()
