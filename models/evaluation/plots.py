"""The plots of an evaluation: the curve over the threshold, bars of joints or classes, the confusion matrix."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from models.evaluation.figures import Confusion, Curve, Outcome, Part
from models.files.whole_file import write_whole

MOST_TICKS = 30


def draw(outcome: Outcome, folder: Path, title: str) -> list[str]:
    """Draws what the outcome has into the folder. Returns the names of the files."""
    from matplotlib.figure import Figure  # without pyplot: no window system, no global state

    files: list[str] = []

    def save(figure: Any, name: str) -> None:
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=100, metadata={"Software": ""})
        write_whole(folder / name, content.getbuffer())
        files.append(name)

    if outcome.curve is not None:
        save(_curve(Figure((6, 4), layout="constrained"), outcome.curve, title), "curve.png")
    for part in outcome.parts:
        height = 1.2 + 0.22 * len(part.values)
        save(_bars(Figure((6, height), layout="constrained"), part, title), f"{_file_name(part.name)}.png")
    if outcome.confusion is not None:
        side = 3 + 0.16 * len(outcome.confusion.labels)
        save(_confusion(Figure((side + 1, side), layout="constrained"), outcome.confusion, title), "confusion.png")
    return files


def _file_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _curve(figure: Any, curve: Curve, title: str) -> Any:
    axes = figure.subplots()
    axes.plot(curve.thresholds, curve.values)
    axes.set(title=title, xlabel=curve.over, ylabel=f"{curve.name} in %", ylim=(0, 100))
    axes.set_xlim(curve.thresholds[0], curve.thresholds[-1])
    axes.grid(alpha=0.3)
    return figure


def _bars(figure: Any, part: Part, title: str) -> Any:
    axes = figure.subplots()
    values = list(part.values.values())
    bars = axes.barh(list(part.values), np.nan_to_num(values))
    labels = ["-" if math.isnan(value) else f"{value:.1f}" for value in values]  # as in the table
    axes.bar_label(bars, labels, fontsize=7, padding=2)
    axes.invert_yaxis()
    axes.tick_params(labelsize=7)
    axes.set(title=title, xlabel=f"{part.name}, {part.unit}")
    # The numbers stand behind the bars.
    axes.set_xlim(0, 112 if part.unit == "%" else 1.12 * np.nanmax([1, *values]))
    return figure


def _confusion(figure: Any, confusion: Confusion, title: str) -> Any:
    axes = figure.subplots()
    columns = (*confusion.labels, "no answer")
    shares = confusion.counts / np.maximum(confusion.counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true class")
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=6)
    axes.set_yticks(range(len(confusion.labels)), confusion.labels, fontsize=6)
    axes.set(title=title, xlabel="predicted", ylabel="true")
    if len(confusion.labels) <= MOST_TICKS:
        for row, column in np.argwhere(confusion.counts):
            dark = shares[row, column] > 0.5
            axes.text(
                column, row, confusion.counts[row, column], ha="center", va="center", fontsize=6,
                color="white" if dark else "black",
            )  # fmt: skip
    return figure
