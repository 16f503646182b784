"""Human3.6M: millimetres between predicted and true joints, relative to the root joint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.samples import H36mPerson
from models.evaluation.figures import Compared, Curve, Outcome, Part
from models.evaluation.journal import Row
from models.evaluation.metrics.blocks import reported_block
from models.evaluation.metrics.bootstrap import figure
from models.evaluation.metrics.mpjpe import PCK3D_MM, PCK3D_STEPS, mpjpe, n_mpjpe, p_mpjpe, pck3d, pck3d_auc
from models.evaluation.metrics.sides import side_exchange
from models.evaluation.metrics.tally import Tally
from models.evaluation.protocols.people import Asking
from models.evaluation.protocols.protocol import Make, Protocol, Running
from models.protocol.joints import PA17

Floats = NDArray[np.float64]
Metric = Callable[[Floats, Floats], Tally]  # of S poses (S, K, 3), relative to the root
ROOT = "pelvis"


class H36mProtocol(Protocol[H36mPerson]):
    """Root-relative errors, with the depth of the true root."""

    running = Running("MPJPE", "mm")

    def __init__(self, asking: Asking, labels: tuple[str, ...]) -> None:
        self._asking = asking
        self._labels = labels
        self.settings = dict(asking.settings)

    def inputs(self, sample: H36mPerson) -> list[Make]:
        return self._asking.inputs(sample)

    def ask(self, inputs: Iterable[Any]) -> Iterator[Any]:
        return self._asking.ask(inputs)

    def row(self, sample: H36mPerson, answers: Sequence[Any]) -> Row:
        found = self._asking.predicted(sample, answers)
        assert found.depth_mm is not None  # models of 2D poses are not asked
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
        return mpjpe(row["predicted_mm"][-1:], row["truth_mm"][None]).mean, 1

    def outcome(self, rows: Sequence[Row]) -> Outcome:
        predicted = np.stack([row["predicted_mm"] for row in rows], axis=1)  # (N, S, K, 3)
        truth = np.stack([row["truth_mm"] for row in rows])
        actions, joints = np.array([row["action"] for row in rows]), tuple(rows[0]["joints"])
        # Frames of one video are alike: the intervals draw whole videos.
        videos = np.unique([row["key"].rpartition("/")[0] for row in rows], return_inverse=True)[1]
        original = [mpjpe(block, truth) for block in predicted]
        strict = mpjpe(predicted[-1], truth, leave_out_root=True)
        best = reported_block([block.mean for block in original], strict=False, lowest=True)
        blocks = self._asking.blocks

        def compared(metric: Metric, name: str, unit: str) -> Compared:
            """A figure of the last block that the original does not have."""
            return Compared(name, None, figure(metric(predicted[-1], truth).by_group(videos), unit))

        by_action = {self._label(action): original[best].rows(actions == action).mean for action in np.unique(actions)}
        return Outcome(
            figures=[
                Compared(
                    "MPJPE", figure(original[best].by_group(videos), "mm"), figure(strict.by_group(videos), "mm"),
                    _why(blocks, best),
                ),
                compared(partial(p_mpjpe, leave_out_root=False), "P-MPJPE", "mm"),
                compared(partial(n_mpjpe, leave_out_root=True), "N-MPJPE", "mm"),
                compared(pck3d, "PCK3D@150mm", "%"),
                compared(pck3d_auc, "PCK3D AUC", "%"),
                compared(partial(_side_exchange, joints=joints), "side exchange", "%"),
            ],
            parts=[
                Part("MPJPE by joint, strict", "joint", "mm", _named(joints, strict.column_means)),
                Part("MPJPE by action, original", "action", "mm", by_action),
                Part("MPJPE by block, original", "block", "mm", _named(blocks, [one.mean for one in original])),
            ],
            curve=_curve(predicted[-1], truth),
            notes=[
                *([f"Without {', '.join(missing)}, which the model has not."] if (missing := _missing(joints)) else []),
                "Side exchange: the share of left and right pairs that fit better when they are exchanged.",
                "The intervals draw whole videos.",
            ],
        )  # fmt: skip

    def _label(self, action: int) -> str:
        return self._labels[action] if action < len(self._labels) else str(action + 1)


def _why(blocks: Sequence[str], best: int) -> str:
    choice = f"here {blocks[best]}" if len(blocks) > 1 else "this target has only the last one"
    return (
        "the original counts the root joint, whose error is 0 by definition, and takes the block that is best on the "
        f"test set itself ({choice}); strictly the root is left out and the last block counts"
    )


def _named(names: Sequence[str], values: Iterable[float]) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True) if not np.isnan(value)}


def _missing(joints: Sequence[str]) -> list[str]:
    return [joint for joint in PA17 if joint not in joints]


def _side_exchange(predicted: Floats, truth: Floats, joints: Sequence[str]) -> Tally:
    return side_exchange(predicted, truth, np.ones(truth.shape[:2], bool), joints)


def _curve(predicted: Floats, truth: Floats) -> Curve:
    thresholds = np.linspace(0, PCK3D_MM, PCK3D_STEPS + 1)
    values = [100 * pck3d(predicted, truth, threshold_mm=threshold).mean for threshold in thresholds]
    return Curve("PCK3D", "threshold in mm", thresholds, np.array(values))
