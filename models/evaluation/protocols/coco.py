"""COCO keypoints: average precision by object keypoint similarity, with annotated boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.datasets.samples import CocoPerson, Person
from models.evaluation.figures import Compared, Outcome
from models.evaluation.journal import Row
from models.evaluation.metrics.oks import COCO17, coco_result, oks, oks_ap
from models.evaluation.protocols.keypoints import KeypointProtocol, Keypoints, exchanged_sides, missing_joints, stacked
from models.evaluation.protocols.protocol import Running
from models.protocol.joints import Joints, spread

OCCLUDED, VISIBLE = 1, 2  # COCO's marks of annotated joints


class CocoProtocol(KeypointProtocol[CocoPerson]):
    """The joints that the model has, as pycocotools counts them."""

    running = Running("OKS", "")

    def joints_of(self, person: Person) -> Joints:  # noqa: ARG002
        """With the face, which networks of one's own may have and deephar's have not."""
        return COCO17

    def more_of(self, sample: CocoPerson) -> Row:
        return {
            "image": sample.image_id,
            "annotation": sample.annotation_id,
            "area": sample.area,
            "box": sample.box,
        }

    def so_far(self, row: Row) -> tuple[float, float]:
        found = stacked([row])
        points, truth, valid = (
            _in_coco(found, values) for values in (found.predicted[-1], found.truth, found.annotated)
        )
        tally = oks(points, np.nan_to_num(truth), valid[..., 0] == 1, [row["area"]])
        return float(tally.sums.sum()), float(tally.counts.sum())

    def outcome(self, rows: Sequence[Row]) -> Outcome:
        found = stacked(rows)
        results = [
            coco_result(row["image"], row["predicted_px"][-1], float(row["scores"].mean()), found.joints)
            for row in rows
        ]
        figures = oks_ap(self._truth(rows, found), results)
        return Outcome(
            figures=[
                *(Compared(name, None, figure) for name, figure in figures.items()),
                exchanged_sides(found),
            ],
            notes=[
                *missing_joints(rows),
                "Boxes are the annotated ones and only people with joints are asked for, so that these figures "
                "do not compare with those of leaderboards.",
            ],
        )

    @staticmethod
    def _truth(rows: Sequence[Row], found: Keypoints) -> dict[str, Any]:
        """The evaluated people as COCO's annotations."""
        points = np.nan_to_num(_in_coco(found, found.truth))
        flags = _in_coco(found, found.annotated)[..., 0] == 1
        visible = _in_coco(found, np.stack([row["visible"] for row in rows]))[..., 0] == 1
        marks = np.where(flags, np.where(visible, VISIBLE, OCCLUDED), 0)
        annotations = [
            {
                "id": row["annotation"], "image_id": row["image"], "category_id": 1, "iscrowd": 0,
                "area": row["area"], "bbox": list(row["box"]), "num_keypoints": int(mark.astype(bool).sum()),
                "keypoints": np.column_stack([place, mark]).ravel().tolist(),
            }
            for row, place, mark in zip(rows, points, marks, strict=True)
        ]  # fmt: skip
        return {
            "images": [{"id": image} for image in sorted({row["image"] for row in rows})],
            "annotations": annotations,
            "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17)}],
        }


def _in_coco(found: Keypoints, values: Any) -> Any:
    """Values (S, K) or (S, K, D) in COCO's order (S, 17, D); NaN where the model lacks the joint."""
    array = np.asarray(values, np.float64)
    return spread(array if array.ndim == 3 else array[..., None], found.joints, COCO17)
