"""The curves of a training, from its log."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from models.files.whole_file import write_whole
from models.training.log import Line, lines_of

CURVES = "curves.png"


def draw(folder: Path) -> None:
    """Draws `curves.png`: losses, learning rate and, where there is one, the figure of validation, over all steps."""
    lines = lines_of(folder)
    steps, epochs = ([line for line in lines if line["kind"] == kind] for kind in ("steps", "epoch"))
    validated = [line for line in epochs if line["validation"]]
    figure = Figure(figsize=(8, 8 if validated else 6))
    FigureCanvasAgg(figure)  # without pyplot: no window system, no global state
    losses, rate, *others = figure.subplots(3 if validated else 2, 1, sharex=True)
    figure.subplots_adjust(left=0.1, right=0.98, top=0.98, hspace=0.08)
    _curves(losses, steps, "losses")
    losses.set_ylabel("loss")
    if all(value > 0 for line in steps for value in line["losses"].values()):
        losses.set_yscale("log")
    rate.step([line["total"] for line in steps], [line["learning_rate"] for line in steps], where="post")
    rate.set_ylabel("learning rate")
    rate.set_yscale("log")
    for axes in others:
        _curves(axes, validated, "validation", marker=".")
        axes.set_ylabel("validation")
    for axes in (losses, rate, *others):
        axes.grid(alpha=0.3)
        for before, line in itertools.pairwise(epochs):
            if before["phase"] != line["phase"]:
                axes.axvline(before["total"], color="grey", linestyle="--")
    figure.axes[-1].set_xlabel("steps")
    packed = io.BytesIO()
    figure.savefig(packed, format="png", dpi=110)
    write_whole(folder / CURVES, packed.getbuffer())


def _curves(axes: Axes, lines: list[Line], what: str, marker: str = "") -> None:
    names = dict.fromkeys(name for line in lines for name in line[what])
    for name in names:
        points = [(line["total"], line[what][name]) for line in lines if name in line[what]]
        axes.plot(*zip(*points, strict=True), label=name, marker=marker)
    if names:
        axes.legend(fontsize="small")
