"""MPII: PCKh of 14 joints by the annotated centre and scale, with one crop or several with their mirrors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.datasets.samples import MpiiPerson
from models.evaluation.figures import Compared, Curve, Outcome
from models.evaluation.journal import Row
from models.evaluation.metrics.bootstrap import figure
from models.evaluation.metrics.pck import PCKH_LEFT_OUT, pck_curve, pckh, pckh_auc, without
from models.evaluation.protocols.keypoints import (
    KeypointProtocol,
    by_block,
    by_joint,
    exchanged_sides,
    missing_joints,
    stacked,
)
from models.evaluation.protocols.protocol import Running

THRESHOLDS = np.linspace(0, 0.5, 51)


class MpiiProtocol(KeypointProtocol[MpiiPerson]):
    """PCKh by the head size, all people and joints together."""

    running = Running("PCKh@0.5", "%")

    def more_of(self, sample: MpiiPerson) -> Row:
        return {"head_size_px": sample.head_size_px}

    def so_far(self, row: Row) -> tuple[float, float]:
        found = stacked([row])
        tally = pckh(found.predicted[-1], found.truth, [row["head_size_px"]], found.inside, joints=found.joints)
        return 100 * float(tally.sums.sum()), float(tally.counts.sum())

    def outcome(self, rows: Sequence[Row]) -> Outcome:
        found, heads = stacked(rows), np.array([row["head_size_px"] for row in rows])
        joints, whole = found.joints, self._whole_groups(len(rows))
        original = [
            pckh(block[:whole], found.truth[:whole], heads[:whole], found.inside[:whole], joints=joints)
            for block in found.predicted
        ]
        last = found.predicted[-1]
        strict = pckh(last, found.truth, heads, found.annotated, joints=joints)
        auc = [
            pckh_auc(last[:count], found.truth[:count], heads[:count], valid[:count], joints=joints)
            for count, valid in ((whole, found.inside), (len(rows), found.annotated))
        ]
        counted = without(found.annotated, joints, PCKH_LEFT_OUT)
        return Outcome(
            figures=[
                Compared("PCKh@0.5", figure(original[-1]) if whole else None, figure(strict), self._why(len(rows))),
                Compared("PCKh AUC 0..0.5", figure(auc[0]) if whole else None, figure(auc[1])),
                exchanged_sides(found),
            ],
            parts=[
                by_joint("PCKh@0.5 by joint, strict", joints, strict),
                *([by_block("PCKh@0.5 by block, original", self.blocks, original)] if whole else []),
            ],
            curve=Curve(
                "PCKh", "distance in head sizes", THRESHOLDS,
                100 * pck_curve(last, found.truth, heads, counted, THRESHOLDS),
            ),
            notes=missing_joints(rows, PCKH_LEFT_OUT),
        )  # fmt: skip

    def _whole_groups(self, people: int) -> int:
        return people - people % self._asking.group

    def _why(self, people: int) -> str:
        reasons = ["the original leaves out the joints outside of the crop; strictly every annotated joint counts"]
        if dropped := people - self._whole_groups(people):
            reasons.append(
                f"it asks a network of clips for {self._asking.group} people at a time and drops the rest, here "
                f"{dropped}"
            )
        return "; ".join(reasons)
