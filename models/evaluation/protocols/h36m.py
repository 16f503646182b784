"""Human3.6M: millimetres between predicted and true joints, relative to the root joint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.samples import Dataset, H36mPerson
from models.evaluation.figures import Curve, Figure, Outcome, Part
from models.evaluation.intervals import estimated
from models.evaluation.journal import Row
from models.evaluation.metrics import mpjpe as metric
from models.evaluation.problem import EvaluationProblem
from models.evaluation.protocols.people import Asking
from models.evaluation.protocols.protocol import Make, Protocol, Running
from models.protocol.joints import PA17

Floats = NDArray[np.float64]
ROOT = "pelvis"


class H36mProtocol(Protocol[H36mPerson]):
    """Root-relative errors, with the depth of the true root."""

    running = Running("MPJPE", "mm")

    def __init__(self, dataset: Dataset[H36mPerson], asking: Asking, labels: tuple[str, ...]) -> None:
        self._asking = asking
        self._labels = labels or dataset.labels
        self.settings = dict(asking.settings)

    def inputs(self, sample: H36mPerson) -> list[Make]:
        return self._asking.inputs(sample)

    def ask(self, inputs: Iterable[Any]) -> Iterator[Any]:
        return self._asking.ask(inputs)

    def row(self, sample: H36mPerson, answers: Sequence[Any]) -> Row:
        found = self._asking.predicted(sample, answers)
        if found.depth_mm is None:
            raise EvaluationProblem("the model finds 2D poses only; Human3.6M needs h36m, ntu, ntu-cvpr18 or lite")
        joints = [joint for joint in PA17 if joint in found.joints]
        mine, theirs = ([order.index(joint) for joint in joints] for order in (found.joints, sample.joints))
        root = sample.joints.index(ROOT)
        depth = found.depth_mm[:, mine] + sample.uvz[root, 2]
        predicted = sample.camera.to_world_mm(np.concatenate([found.keypoints_px[:, mine], depth[..., None]], axis=-1))
        truth = np.asarray(sample.world_mm)[theirs]
        return {
            "key": sample.key,
            "joints": joints,
            "predicted_mm": predicted - predicted[:, :1],
            "truth_mm": truth - truth[:1],
            "action": sample.action,
        }

    def so_far(self, row: Row) -> tuple[float, float]:
        return float(np.linalg.norm(row["predicted_mm"][-1] - row["truth_mm"], axis=-1).mean()), 1

    def outcome(self, rows: Sequence[Row]) -> Outcome:
        predicted = np.stack([row["predicted_mm"] for row in rows])  # (S, N, K, 3)
        truth = np.stack([row["truth_mm"] for row in rows])
        actions = np.array([row["action"] for row in rows])
        joints = tuple(rows[0]["joints"])
        errors = np.linalg.norm(predicted - truth[:, None], axis=-1)  # (S, N, K)
        blocks = errors.mean(axis=(0, 2))
        best, last = int(blocks.argmin()), predicted[:, -1]
        return Outcome(
            figures=[self._mpjpe(errors, best), *aligned_figures(last, truth), *pck_figures(last, truth)],
            parts=[
                Part("MPJPE by joint, strict", "joint", "mm", dict(zip(joints, errors[:, -1].mean(axis=0), strict=True))),
                Part("MPJPE by action, original", "action", "mm", self._by_action(errors[:, best].mean(axis=1), actions)),
                Part("MPJPE by block, original", "block", "mm", dict(zip(self._asking.blocks, blocks, strict=True))),
            ],
            curve=_curve(last, truth),
            notes=self._notes(joints),
        )

    def _mpjpe(self, errors: Floats, best: int) -> Figure:
        blocks = self._asking.blocks
        chosen = len(blocks) > 1
        return Figure(
            "MPJPE",
            "mm",
            estimated(errors[:, best].mean(axis=1)),
            estimated(errors[:, -1, 1:].mean(axis=1)),
            "the original counts the root joint, whose error is 0 by definition, "
            + (
                f"and takes the best block on the test set itself (here {blocks[best]}); strictly the last block counts"
                if chosen
                else "and takes the best block on the test set itself; this target has only the last one"
            ),
        )

    def _by_action(self, errors: Floats, actions: NDArray[np.int64]) -> dict[str, float]:
        present = np.unique(actions)
        return {self._label(int(action)): float(errors[actions == action].mean()) for action in present}

    def _label(self, action: int) -> str:
        return self._labels[action] if action < len(self._labels) else str(action + 1)

    @staticmethod
    def _notes(joints: Sequence[str]) -> list[str]:
        missing = [joint for joint in PA17 if joint not in joints]
        return [f"Without {', '.join(missing)}, which the model has not."] if missing else []
