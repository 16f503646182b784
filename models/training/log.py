"""The log of a training: one JSON object a line, means over some steps (`steps`) and over each epoch (`epoch`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from models.files.whole_file import write_whole

LOG = "log.jsonl"

Line = dict[str, Any]


class Means:
    """Means of named figures that are not there at every step."""

    def __init__(self, sums: Mapping[str, tuple[float, int]] | None = None) -> None:
        self.sums: dict[str, tuple[float, int]] = dict(sums or {})

    def add(self, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = total + value, count + 1

    @classmethod
    def of_all(cls, parts: Iterable[Means]) -> Means:
        """Those of several processes as one."""
        whole = cls()
        for part in parts:
            for name, (total, count) in part.sums.items():
                before, counted = whole.sums.get(name, (0.0, 0))
                whole.sums[name] = before + total, counted + count
        return whole

    def figures(self) -> dict[str, float]:
        return {name: float(f"{total / count:.6g}") for name, (total, count) in self.sums.items()}


def lines_of(folder: Path) -> list[Line]:
    """All lines; of a line that a killed process left half there is nothing."""
    file = folder / LOG
    whole = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in whole if line.endswith("\n")]


def append(folder: Path, line: Line) -> None:
    with (folder / LOG).open("a") as log:
        log.write(json.dumps(line) + "\n")


def cut_after(folder: Path, total: int = 0, *, in_epoch: bool = False) -> None:
    """Removes the lines of what a resumed training does again.

    Args:
        folder: Of the log.
        total: The steps that are kept.
        in_epoch: Whether the epoch of the last of them goes on: its own line is still to come.
    """
    kept = [
        json.dumps(line) + "\n"
        for line in lines_of(folder)
        if line["total"] < total or (line["total"] == total and not (in_epoch and line["kind"] == "epoch"))
    ]
    write_whole(folder / LOG, "".join(kept).encode())


def told(line: Line, steps: int, epochs: int) -> str:
    """A line for people."""
    figures = [f"{name} {value:.4g}" for name, value in (line["losses"] | line.get("validation", {})).items()]
    place = f"epoch {line['epoch']}/{epochs}" + (f", step {line['step']}/{steps}" if line["kind"] == "steps" else "")
    return f"{line['phase']}, {place}: {', '.join(figures)}; rate {line['learning_rate']:.3g}, {line['seconds']:.1f} s"
