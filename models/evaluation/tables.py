"""An evaluation as a Markdown page: our figures beside the paper's, as the original counts and strictly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from models.evaluation.figures import Compared, Outcome, Part
from models.evaluation.metrics.figure import Figure
from models.evaluation.papers import paper_figure

MOST_FAILED = 20  # named on the page; the record has all


def page(record: Mapping[str, Any], outcome: Outcome) -> str:
    """The page of an evaluation."""
    settings = record["settings"]
    lines = [
        f"# {record['model']} on {record['dataset']}, {settings['split']}",
        "",
        f"Asked: {record['target']}. {_samples(record)}. Model {record['model_sha256'][:12]}, "
        f"data {record['data_fingerprint'][:12]}.",
        "",
        f"Settings: {', '.join(f'{name} {_setting(value)}' for name, value in settings.items())}.",
        "",
        *_figures(record, outcome.figures),
        "",
        *_reasons(outcome.figures),
        *(f"- {note}" for note in outcome.notes),
        "",
    ]
    for part in outcome.parts:
        lines += _part(part)
    lines += [f"![]({plot})\n" for plot in record["plots"]]
    lines += _failed(record["failed"])
    return "\n".join(lines).rstrip() + "\n"


def shown(figure: Figure | None) -> str:
    """A figure with its interval, as text."""
    if figure is None or math.isnan(figure.value):
        return "-"
    digits, unit = (1, f" {figure.unit}") if figure.unit else (3, "")
    return f"{figure.value:.{digits}f}{unit} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"


def _setting(value: object) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def _samples(record: Mapping[str, Any]) -> str:
    done, all_of_them = record["samples"], record["samples_of_split"]
    return f"{done} samples" if done == all_of_them else f"{done} of {all_of_them} samples: only a part"


def _figures(record: Mapping[str, Any], figures: list[Compared]) -> list[str]:
    lines = ["| figure | published | original's counting | strict counting |", "|---|---|---|---|"]
    for figure in figures:
        published = paper_figure(record["dataset"], record["model"], figure.name, record["settings"])
        there = f"{published.value} {published.unit}" if published else "-"
        lines.append(f"| {figure.name} | {there} | {shown(figure.original)} | {shown(figure.strict)} |")
    lines += ["", "In brackets: 95 % intervals, by the bootstrap."]
    for figure in figures:
        if published := paper_figure(record["dataset"], record["model"], figure.name, record["settings"]):
            lines += ["", f"Published {figure.name}: {published.what} ({published.source}; {published.checked.value})."]
    return lines


def _reasons(figures: list[Compared]) -> list[str]:
    return [f"- {figure.name}: {figure.why}" for figure in figures if figure.why]


def _part(part: Part) -> list[str]:
    return [
        f"## {part.name}",
        "",
        f"| {part.of} | {part.unit} |",
        "|---|---|",
        *(f"| {name} | {'-' if math.isnan(value) else f'{value:.1f}'} |" for name, value in part.values.items()),
        "",
    ]


def _failed(failed: Mapping[str, str]) -> list[str]:
    if not failed:
        return []
    named = [f"- {key}: {why}" for key, why in list(failed.items())[:MOST_FAILED]]
    more = len(failed) - len(named)
    return ["## Samples that could not be read", "", *named, *([f"- and {more} more"] if more else [])]
