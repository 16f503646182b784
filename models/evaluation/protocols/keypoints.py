"""What the evaluations of 2D poses have in common: predicted and annotated joints of the same names, in pixels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.samples import AnySample, Person
from models.evaluation.figures import Compared, Part
from models.evaluation.journal import Row
from models.evaluation.metrics.bootstrap import figure
from models.evaluation.metrics.sides import side_exchange
from models.evaluation.metrics.tally import Tally
from models.evaluation.protocols.people import Asking
from models.evaluation.protocols.protocol import Make, Protocol
from models.protocol.crop import inside_crop, map_points, plan_crop
from models.protocol.joints import Joints

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Keypoints:
    """The rows of an evaluation as arrays: S people, N blocks, K joints."""

    joints: tuple[str, ...]
    predicted: Floats  # (N, S, K, 2)
    truth: Floats  # (S, K, 2), 0 where a joint is not annotated
    annotated: Bools  # (S, K)
    inside: Bools  # (S, K), annotated and inside of the crop


class KeypointProtocol(Protocol[AnySample]):
    """A protocol whose rows hold predicted and annotated joints."""

    def __init__(self, asking: Asking, labels: tuple[str, ...] = ()) -> None:  # noqa: ARG002 - those with actions
        self._asking = asking
        self.settings = dict(asking.settings)

    def inputs(self, sample: AnySample) -> list[Make]:
        return self._asking.inputs(_person(sample))

    def ask(self, inputs: Iterable[Any]) -> Iterator[Any]:
        return self._asking.ask(inputs)

    def row(self, sample: AnySample, answers: Sequence[Any]) -> Row:
        person = _person(sample)
        found = self._asking.predicted(person, answers)
        annotated_joints = self.joints_of(person)
        joints = [joint for joint in annotated_joints if joint in found.joints]
        mine, theirs = ([order.index(joint) for joint in joints] for order in (found.joints, annotated_joints))
        truth = np.asarray(person.keypoints_px, np.float64)[theirs, :2]
        annotated = np.asarray(np.isfinite(truth).all(axis=-1))
        affine = plan_crop(person.image_size, person.window.at_least_smallest()).affine
        return {
            "key": person.key,
            "joints": joints,
            "missing": [joint for joint in annotated_joints if joint not in found.joints],
            "predicted_px": found.keypoints_px[:, mine],
            "scores": found.scores[mine],
            "truth_px": np.where(annotated[:, None], truth, 0.0),
            "annotated": annotated,
            "visible": annotated & np.asarray(person.visible, bool)[theirs],
            "inside": annotated & inside_crop(map_points(affine, truth)),
            **self.more_of(sample),
        }

    @abstractmethod
    def more_of(self, sample: AnySample) -> Row:
        """What the figures need beside the joints."""

    def joints_of(self, person: Person) -> Joints:
        """Names of the annotated joints; "-" is one that no network has."""
        return person.joints

    @property
    def blocks(self) -> tuple[str, ...]:
        """Names of the blocks of poses."""
        return self._asking.blocks


def stacked(rows: Sequence[Row]) -> Keypoints:
    """The rows as arrays."""
    return Keypoints(
        tuple(rows[0]["joints"]),
        np.stack([row["predicted_px"] for row in rows], axis=1),
        *(np.stack([row[name] for row in rows]) for name in ("truth_px", "annotated", "inside")),
    )


def missing_joints(rows: Sequence[Row], leave_out: Sequence[str] = ("-",)) -> list[str]:
    """A note on the annotated joints that the model lacks, where there are some."""
    missing = [joint for joint in rows[0]["missing"] if joint not in leave_out]
    return [f"Without {', '.join(missing)}, which the model has not."] if missing else []


def exchanged_sides(found: Keypoints) -> Compared:
    """The share of left and right pairs that fit better when they are exchanged."""
    return Compared(
        "side exchange",
        None,
        figure(side_exchange(found.predicted[-1], found.truth, found.annotated, found.joints)),
        "the share of left and right pairs that fit better when they are exchanged; the original has no such figure",
    )


def by_joint(name: str, joints: Sequence[str], tally: Tally) -> Part:
    """A share 0..1 by joint, in per cent, of the joints that count."""
    counted = tally.counts.sum(axis=0) > 0
    values = zip(joints, 100 * tally.column_means, counted, strict=True)
    return Part(name, "joint", "%", {joint: float(value) for joint, value, counts in values if counts})


def by_block(name: str, blocks: Sequence[str], tallies: Sequence[Tally]) -> Part:
    """A share 0..1 by block, in per cent."""
    return Part(name, "block", "%", {block: 100 * one.mean for block, one in zip(blocks, tallies, strict=True)})


def _person(sample: Any) -> Person:
    assert isinstance(sample, Person)
    return sample
