"""Joints in millimetres: in the camera's coordinates where there was one, or else from the middle of the hips.

Without a camera x and y are known in pixels only. Their scale is estimated: with it, and with the depths as they are,
arms and legs have the lengths of a person of 1.7 m.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

Place = tuple[float, float, float]  # x to the right, y down, z away from the camera

STATURE_MM = 1700.0
# Shares of the stature (Drillis and Contini, 1966).
_LIMBS = {
    ("shoulder", "elbow"): 0.186,
    ("elbow", "wrist"): 0.146,
    ("hip", "knee"): 0.245,
    ("knee", "ankle"): 0.246,
}


def places_mm(person: Mapping[str, Any]) -> list[Place | None]:
    """Returns the place of each joint of a person whose joints have depth; None where it is not known."""
    joints = person["keypoints"]
    if any(joint.get("position_mm") is not None for joint in joints):
        return [None if (place := joint.get("position_mm")) is None else tuple(place) for joint in joints]
    known = {
        joint["name"]: (joint["x"], joint["y"], joint["z"]) for joint in joints if None not in map(joint.get, "xyz")
    }
    scale, root = _mm_per_px(known), _root(known)
    if scale is None or root is None:
        return [None] * len(joints)
    return [None if (place := known.get(joint["name"])) is None else _from_root(place, root, scale) for joint in joints]


def _from_root(place: Place, root: tuple[float, float], scale: float) -> Place:
    return scale * (place[0] - root[0]), scale * (place[1] - root[1]), place[2]


def _root(known: Mapping[str, Place]) -> tuple[float, float] | None:
    """Returns x and y of the pelvis, or of the middle of the hips."""
    ends = [known[name] for name in ("pelvis",) if name in known] or [
        known[name] for name in ("right_hip", "left_hip") if name in known
    ]
    return (sum(x for x, _, _ in ends) / len(ends), sum(y for _, y, _ in ends) / len(ends)) if ends else None


def _mm_per_px(known: Mapping[str, Place]) -> float | None:
    """Returns the scale by least squares of the squared lengths of arms and legs; None where they do not say."""
    above = below = 0.0
    for side in ("right", "left"):
        for (start, end), share in _LIMBS.items():
            a, b = known.get(f"{side}_{start}"), known.get(f"{side}_{end}")
            if a is None or b is None:
                continue
            seen = (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2
            above += seen * ((share * STATURE_MM) ** 2 - (a[2] - b[2]) ** 2)
            below += seen**2
    return sqrt(above / below) if above > 0 and below > 0 else None
