"""Penn Action and NTU RGB+D through the gateway: whole sequences with the box of the first frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from models.datasets.problem import DataProblem
from models.datasets.samples import Clip, Pixels
from models.evaluation.figures import Compared, Confusion, Outcome, Part
from models.evaluation.journal import Row
from models.evaluation.metrics.actions import confusion, per_class, predicted_labels, top_k
from models.evaluation.metrics.bootstrap import figure
from models.evaluation.protocols.people import shrunk
from models.evaluation.protocols.protocol import Make, Protocol, Running
from models.evaluation.targets.gateway import GatewayTarget
from models.evaluation.targets.outputs import ActionsOfClip, WholeClip


class WholeClipProtocol(Protocol[Clip]):
    """What a caller of the service gets: it samples, follows the person and merges windows itself."""

    running = Running("top-1", "%")
    align = 1

    def __init__(self, target: GatewayTarget, labels: tuple[str, ...], fps: float, margin: float) -> None:
        self._target = target
        self._labels, self._fps, self._margin = labels, fps, margin
        self.settings = {"clip": "whole sequence", "fps": fps, "margin": margin}

    def inputs(self, sample: Clip) -> list[Make]:
        def make() -> WholeClip:
            window = sample.window_of([0], False)
            return WholeClip(partial(_frames, sample), self._fps, shrunk(window, self._margin))

        return [make]

    def ask(self, inputs: Iterable[Any]) -> Iterator[ActionsOfClip]:
        return self._target.actions(inputs)

    def row(self, sample: Clip, answers: Sequence[ActionsOfClip | DataProblem]) -> Row:
        (answer,) = answers
        assert isinstance(answer, ActionsOfClip)  # a problem ends the evaluation
        row = {"key": sample.key, "action": sample.action, "scores": answer.scores}
        return {**row, "reason": answer.reason} if answer.reason else row

    def so_far(self, row: Row) -> tuple[float, float]:
        return 100.0 * ("reason" not in row and int(row["scores"].argmax()) == row["action"]), 1

    def outcome(self, rows: Sequence[Row]) -> Outcome:
        truth, scores = np.array([row["action"] for row in rows]), np.stack([row["scores"] for row in rows])
        known = np.array(["reason" not in row for row in rows])
        labels = predicted_labels(scores, known)
        means = 100 * per_class(labels, truth, len(self._labels)).column_means
        return Outcome(
            figures=[
                Compared(
                    "top-1, whole sequence", None, figure(top_k(scores, truth, answered=known)),
                    "the original knows no such evaluation; a sequence for which the service gives no action is wrong",
                ),
                Compared("top-5, whole sequence", None, figure(top_k(scores, truth, 5, known))),
            ],
            parts=[
                Part("Accuracy by action", "action", "%", dict(zip(self._labels, map(float, means), strict=True)))
            ],
            confusion=Confusion(self._labels, confusion(labels, truth, len(self._labels))),
            notes=["The gateway samples frames, follows the person and merges windows as for any caller."],
            counts={"without an answer": int((~known).sum())},
        )  # fmt: skip


def _frames(sample: Clip) -> Iterator[Pixels]:
    return (sample.read(frame) for frame in range(sample.frames))
