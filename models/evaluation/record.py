"""The record of an evaluation: what was evaluated, by what, and every figure, as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from models.evaluation.figures import Compared, Outcome
from models.evaluation.metrics.figure import Figure
from models.evaluation.papers import paper_figure

NAME = "record.json"


def record(about: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
    """The record as a JSON document.

    Args:
        about: Data set, model, target, settings, software and counts of samples.
        outcome: The figures.
    """
    document = {**about, "counts": dict(outcome.counts), "notes": outcome.notes}
    document["figures"] = [_figure(about, figure) for figure in outcome.figures]
    document["parts"] = [{**asdict(part), "values": _numbers(part.values)} for part in outcome.parts]
    if outcome.curve is not None:
        curve = outcome.curve
        points = {"thresholds": curve.thresholds.tolist(), "values": curve.values.tolist()}
        document["curve"] = {"name": curve.name, "over": curve.over, **points}
    if outcome.confusion is not None:
        document["confusion"] = {
            "labels": list(outcome.confusion.labels),
            "counts": outcome.confusion.counts.tolist(),
        }
    return document


def as_text(document: Mapping[str, Any]) -> str:
    """The JSON text of a record."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _figure(about: Mapping[str, Any], figure: Compared) -> dict[str, Any]:
    published = paper_figure(about["dataset"], about["model"], figure.name, about["settings"])
    return {
        "name": figure.name,
        "original": _value(figure.original),
        "strict": _value(figure.strict),
        "why": figure.why,
        "published": published and {"value": published.value, "unit": published.unit, "source": published.source},
    }


def _value(figure: Figure | None) -> dict[str, Any] | None:
    return None if figure is None else _numbers(asdict(figure))


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without NaN, which JSON has not."""
    return {name: None if isinstance(one, float) and math.isnan(one) else one for name, one in values.items()}
