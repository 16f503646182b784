"""Leeds Sports Pose and its extension: PCK by the torso and person-centric PCP."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from models.datasets.samples import Person
from models.evaluation.figures import Compared, Curve, Outcome, Part
from models.evaluation.journal import Row
from models.evaluation.metrics.bootstrap import figure
from models.evaluation.metrics.pck import pck_curve, pck_torso, torso_size_px
from models.evaluation.metrics.pcp import PARTS, pcp
from models.evaluation.protocols.keypoints import (
    KeypointProtocol,
    Keypoints,
    by_block,
    by_joint,
    exchanged_sides,
    missing_joints,
    stacked,
)
from models.evaluation.protocols.protocol import Running

THRESHOLDS = np.linspace(0, 0.5, 51)


class LspProtocol(KeypointProtocol[Person]):
    """Of deephar's papers none evaluates on LSP: there is no original counting."""

    running = Running("PCK@0.2", "%")

    def more_of(self, sample: Person) -> Row:  # noqa: ARG002
        return {}

    def so_far(self, row: Row) -> tuple[float, float]:
        found = stacked([row])
        tally = pck_torso(found.predicted[-1], found.truth, found.annotated, joints=found.joints)
        return 100 * float(tally.sums.sum()), float(tally.counts.sum())

    def outcome(self, rows: Sequence[Row]) -> Outcome:
        found = stacked(rows)
        joints, last = found.joints, found.predicted[-1]
        score = partial(pck_torso, joints=joints)
        pck = score(last, found.truth, found.annotated)
        pcp_figures, pcp_parts = _parts(found)
        torso = torso_size_px(found.truth, found.annotated, joints)
        counted = found.annotated & np.isfinite(torso)[:, None]
        return Outcome(
            figures=[
                Compared("PCK@0.2 torso", None, figure(pck), "deephar's papers do not evaluate on this data set"),
                *pcp_figures,
                exchanged_sides(found),
            ],
            parts=[
                by_joint("PCK@0.2 by joint", joints, pck),
                *pcp_parts,
                by_block(
                    "PCK@0.2 by block",
                    self.blocks,
                    [score(block, found.truth, found.annotated) for block in found.predicted],
                ),
            ],
            curve=Curve(
                "PCK", "distance in torso lengths", THRESHOLDS,
                100 * pck_curve(last, found.truth, torso, counted, THRESHOLDS),
            ),
            notes=missing_joints(rows),
        )  # fmt: skip


def _parts(found: Keypoints) -> tuple[list[Compared], list[Part]]:
    """PCP, of a model that has the joints of all parts."""
    if any(joint not in found.joints for ends in PARTS.values() for end in ends for joint in end):
        return [], []
    strict, loose = (
        pcp(found.predicted[-1], found.truth, found.annotated, joints=found.joints, strict=strict)
        for strict in (True, False)
    )
    means = dict(zip(PARTS, map(float, 100 * strict.column_means), strict=True))
    figures = [Compared("PCP, strict", None, figure(strict)), Compared("PCP, loose", None, figure(loose))]
    return figures, [Part("PCP by part", "part", "%", means)]
