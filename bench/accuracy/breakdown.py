"""What the mean hides: exchanged sides, views and sizes of people, and how far scores can be believed."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.accuracy.pose import Answers
from bench.accuracy.reliability import diagram
from models.lite.frame.data import HIT_TORSO, LSP_TO_PA16
from models.lite.frame.torso import torso_size
from models.lite.layout import FLIP, LIMBS, NECK, SHOULDERS

SIDEWAYS = 0.25  # torsos: shoulders that are nearer to each other, from left to right, are seen from the side
SIZES_PX = (100, 150, 200)  # bounds of the larger side of the joints' box

Bools = NDArray[np.bool_]


def exchanged(answers: Answers) -> Bools:
    """(N, 12), limb joints that are not within 0.2 torso of their label but of the other side's."""
    people, torso = answers.people, torso_size(answers.people.joints, answers.people.valid)
    distance = np.linalg.norm(answers.keypoints_px - people.joints[:, FLIP], axis=-1)
    others = (distance < HIT_TORSO * torso[:, None]) & people.valid[:, FLIP] & people.valid
    return np.asarray((others & ~answers.hits)[:, LIMBS])


def views(answers: Answers) -> dict[str, Bools]:
    """Of N people, who is seen from where, by where the labelled shoulders are."""
    joints = answers.people.joints
    across = joints[:, SHOULDERS[1], 0] - joints[:, SHOULDERS[0], 0]
    upside_down = joints[:, NECK, 1] > joints[:, 0, 1]
    across = np.where(upside_down, -across, across) / torso_size(joints, answers.people.valid)
    return {
        "front": across > SIDEWAYS,
        "side": np.abs(across) <= SIDEWAYS,
        "back": across < -SIDEWAYS,
        "upside_down": upside_down,
    }


def sizes(answers: Answers) -> dict[str, Bools]:
    """Of N people, who is how large."""
    valid = answers.people.valid[..., None]
    low = np.where(valid, answers.people.joints, np.inf).min(1)
    extent = (np.where(valid, answers.people.joints, -np.inf).max(1) - low).max(1)
    bounds = (0, *SIZES_PX, np.inf)
    return {
        f"{low}_to_{high}_px": (extent >= low) & (extent < high)
        for low, high in pairwise(bounds)
        if ((extent >= low) & (extent < high)).any()
    }


def measure(answers: Answers) -> dict[str, Any]:
    """PCK@0.2 of limbs, exchanged sides, and PCK@0.2 of LSP's 14 joints by view and size."""
    hits, valid = answers.hits, answers.people.valid
    groups = {**views(answers), **sizes(answers)}
    return {
        "limbs": float(hits[:, LIMBS][valid[:, LIMBS]].mean()),
        "sides_exchanged": float(exchanged(answers)[valid[:, LIMBS]].mean()),
        "by_group": {
            name: {"people": int(chosen.sum()), "pck": _share(hits[chosen], valid[chosen])}
            for name, chosen in groups.items()
        },
    }


def _share(hits: Bools, valid: Bools) -> float:
    return float(hits[:, LSP_TO_PA16][valid[:, LSP_TO_PA16]].mean())


def reliability(answers: Answers) -> NDArray[np.uint8]:
    """Returns the diagram of the joints' scores."""
    valid = answers.people.valid[:, LSP_TO_PA16]
    scores, right = answers.scores[:, LSP_TO_PA16][valid], answers.hits[:, LSP_TO_PA16][valid]
    return diagram(scores, right, "score (number of joints) and share within 0.2 torso")
