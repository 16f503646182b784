from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from service.networks.card import Card


def card(**changes: Any) -> dict[str, Any]:
    return {
        "model": "some",
        "description": "",
        "layout": "pa17",
        "dims": 3,
        "crop": {"size": 256, "margin": 1.25},
        "depth_scale_mm": 2000,
        "weights": "",
        "weights_sha256": "",
        "licence": "",
    } | changes


def test_three_dimensions_have_a_depth() -> None:
    assert Card.model_validate(card()).depth_scale_mm == 2000


def test_three_dimensions_may_be_lifted() -> None:
    lifted = Card.model_validate(card(lift={"stature_mm": 1700, "trained_on": "walkers"}))
    assert lifted.has_depth
    assert lifted.lift is not None


def test_two_dimensions_have_none() -> None:
    assert Card.model_validate(card(dims=2, depth_scale_mm=None)).depth_scale_mm is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"depth_scale_mm": None}, "must have depth_scale_mm"),
        ({"dims": 2}, "must not have depth_scale_mm"),
        (
            {"dims": 2, "depth_scale_mm": None, "lift": {"stature_mm": 1700, "trained_on": ""}},
            "must not have a lift",
        ),
        ({"depth_scale_mm": 0}, "greater than 0"),
        ({"depth_scale_mm": -2000}, "greater than 0"),
        ({"depth_scale_mm": math.inf}, "finite"),
        ({"depth_scale_mm": math.nan}, "depth_scale_mm"),
        ({"dims": 4}, "2 or 3"),
    ],
)
def test_cards_whose_depth_makes_no_sense_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Card.model_validate(card(**changes))
