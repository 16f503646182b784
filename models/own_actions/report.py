"""What was found on held-out clips, as text, plot and files."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path
from typing import Any

from models.own_actions.evaluation import Figures
from models.own_actions.labels import NONE
from models.own_actions.problem import CannotTrain

CELL = 8  # characters of a column
FILES = {"report.txt", "report.json", "predictions.csv", "confusion.png"}


def may_be_written(folder: Path, replace: bool) -> None:
    """Raises `CannotTrain` where a report cannot be there: nothing but another report is ever replaced."""
    if not folder.exists():
        return
    if not replace:
        raise CannotTrain(f"{folder} is there already; choose another --out, or give --replace")
    if others := {path.name for path in folder.iterdir()} - FILES:
        raise CannotTrain(f"{folder} has more than a report in it, such as {min(others)}; choose another --out")


def text(figures: Figures) -> str:
    """Returns the accuracy, and the confusion matrix with labels in rows and what was named in columns."""
    low, high = figures.interval
    names = (*figures.actions, NONE)
    width = max(map(len, names)) + 2
    lines = [
        f"{figures.right} of {len(figures.clips)} held-out clips are named right: {figures.top1:.1%} "
        f"(95 % interval {low:.1%} to {high:.1%}); held out: {figures.how}",
        "",
        " " * width + "".join(f"{_short(name):>{CELL}}" for name in names),
    ]
    for name, row in zip(names, figures.confusion(), strict=True):
        if row.sum():
            lines.append(f"{name:<{width}}" + "".join(f"{count or '.':>{CELL}}" for count in row))
    return "\n".join(lines)


def record(figures: Figures) -> dict[str, Any]:
    """Returns the same as plain data."""
    return {
        "clips": len(figures.clips),
        "right": figures.right,
        "top1": round(figures.top1, 4),
        "interval_95": [round(bound, 4) for bound in figures.interval],
        "held_out": figures.how,
        "labels": [*figures.actions, NONE],
        "confusion": figures.confusion().tolist(),
    }


def write(figures: Figures, more: dict[str, Any], folder: Path) -> None:
    """Writes report.txt, report.json, predictions.csv and confusion.png into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.txt").write_text(text(figures) + "\n", encoding="utf-8")
    whole = json.dumps(more | record(figures), indent=2, ensure_ascii=False)
    (folder / "report.json").write_text(whole + "\n", encoding="utf-8")
    names = (*figures.actions, NONE)
    with (folder / "predictions.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["clip", "label", "named", *figures.actions])
        for clip, label, named, scores in zip(
            figures.clips, figures.labels, figures.named, figures.scores, strict=True
        ):
            lines.writerow([clip, names[label], names[named], *(f"{score:.4f}" for score in scores)])
    _plot(figures, folder / "confusion.png")


def _plot(figures: Figures, file: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts, names = figures.confusion(), [_plain(name) for name in (*figures.actions, NONE)]
    side = 2.5 + 0.5 * len(names)
    figure = Figure(figsize=(side, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shares = counts / counts.sum(1, keepdims=True).clip(1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in zip(*counts.nonzero(), strict=True):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("named")
    axes.set_ylabel("labelled")
    axes.set_title(f"{figures.right} of {len(figures.clips)} held-out clips")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # signs that the font lacks are boxes
        figure.savefig(file, dpi=120)


def _short(name: str) -> str:
    return name if len(name) < CELL else name[: CELL - 2] + "…"


def _plain(name: str) -> str:
    """Returns a label in which matplotlib sees no formula."""
    return name.replace("$", r"\$")
