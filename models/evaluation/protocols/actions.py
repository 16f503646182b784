"""Penn Action and NTU RGB+D: one action per sequence, from the clip in its middle and from all clips with mirrors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.problem import DataProblem
from models.datasets.samples import Clip
from models.evaluation.figures import Compared, Confusion, Outcome, Part
from models.evaluation.journal import Row
from models.evaluation.metrics.actions import (
    confusion,
    fused_top_k,
    multi_clip,
    per_class,
    predicted_labels,
    single_clip,
    top_k,
)
from models.evaluation.metrics.blocks import reported_block
from models.evaluation.metrics.bootstrap import figure
from models.evaluation.metrics.tally import Tally
from models.evaluation.protocols.protocol import Make, Protocol, Running
from models.evaluation.targets.outputs import ClipOutput, CropTarget
from models.protocol import clips
from models.protocol.crop import cut, plan_crop
from models.protocol.fusion import FusedScores, ShortSequences

SINGLE = "top-1, single clip"
MULTI = "top-1, multi-clip"


@dataclass(frozen=True)
class ClipSettings:
    """How clips are taken from a sequence."""

    frames: int
    subsampling: int
    every: int = 1  # frames of the data set that are kept: 2 drops every second one first
    multi: bool = True  # beside the clip in the middle, all clips with their mirrors


@dataclass(frozen=True)
class ClipView:
    """One clip of a sequence."""

    frames: list[int]  # of the sequence, from 0
    mirror: bool


class ActionProtocol(Protocol[Clip]):
    """Clips as crops, straight to the networks."""

    running = Running("top-1", "%")
    stops_at_problems = False
    align = 1

    def __init__(self, target: CropTarget, clip: ClipSettings, labels: tuple[str, ...]) -> None:
        self._target = target
        self._clip = clip
        self._labels = labels
        self.settings = asdict(clip)

    def inputs(self, sample: Clip) -> list[Make]:
        return [partial(self._cut, sample, view) for view in self.views(sample.frames)]

    def ask(self, inputs: Iterable[Any]) -> Iterator[ClipOutput]:
        return self._target.actions(inputs)

    def views(self, frames: int) -> list[ClipView]:
        """The clip in the middle, then all clips, each plain and mirrored."""
        settings = self._clip
        if not frames:
            return []
        arguments = (frames, settings.frames, settings.subsampling)
        found = [ClipView(clips.single_clip(*arguments), mirror=False)]
        for clip in clips.multi_clip(*arguments) if settings.multi else []:
            found += [ClipView(clip, mirror) for mirror in (False, True)]
        return found

    def row(self, sample: Clip, answers: Sequence[ClipOutput | DataProblem]) -> Row:
        single, *multi = [answer.scores if isinstance(answer, ClipOutput) else None for answer in answers] or [None]
        problems = [str(answer) for answer in answers if isinstance(answer, DataProblem)]
        scores = [one for one in multi if one is not None]
        return {
            "key": sample.key,
            "action": sample.action,
            "single": single,
            "multi": np.stack(scores) if scores else None,
            "clips": len(multi),
            **({"failed": problems[0]} if problems else {}),
        }

    def so_far(self, row: Row) -> tuple[float, float]:
        single, multi = row["single"], row["multi"]
        with np.errstate(divide="ignore"):
            scores = (
                np.log(multi[:, -1]).sum(axis=0) if multi is not None else single[-1] if single is not None else None
            )
        return 100.0 * (scores is not None and int(scores.argmax()) == row["action"]), 1

    def outcome(self, rows: Sequence[Row]) -> Outcome:
        truth = np.array([row["action"] for row in rows])
        answered = np.array([row["single"] is not None for row in rows])
        empty = np.zeros((len(self._target.action_blocks), len(self._labels)), np.float32)
        scores = np.stack([row["single"] if row["single"] is not None else empty for row in rows]).astype(np.float64)
        single = single_clip(scores, truth, answered)
        figures = [
            self._compared(SINGLE, single, single),
            Compared("top-5, single clip", None, figure(top_k(scores[:, -1], truth, 5, answered))),
        ]
        labels, parts = predicted_labels(scores[:, -1], answered), [self._by_block(SINGLE, single)]
        counts = {"failed": sum("failed" in row for row in rows)}
        if self._clip.multi:
            fused, original, strict = self._fused(rows, truth)
            figures += [
                self._compared(MULTI, original, strict, self._short(counts, rows)),
                Compared("top-5, multi-clip", None, figure(fused_top_k(fused, truth, 5))),
            ]
            labels = predicted_labels(fused.log_scores[:, -1], fused.has_clip)
            parts.append(self._by_block(MULTI, original))
        parts.append(self._by_class(labels, truth))
        return Outcome(
            figures, parts, confusion=_confusion(labels, truth, self._labels), notes=self._notes(), counts=counts
        )

    def _cut(self, sample: Clip, view: ClipView) -> NDArray[np.uint8]:
        """The crops (T, size, size, 3) of a clip, all by one window."""
        side = (self._target.size, self._target.size)
        window = sample.window_of(view.frames, view.mirror).at_least_smallest()
        plan = plan_crop(sample.image_size, window, side, mirror=view.mirror)
        return np.stack([cut(sample.read(frame), plan) for frame in view.frames])

    def _fused(self, rows: Sequence[Row], truth: NDArray[np.int64]) -> tuple[FusedScores, list[Tally], list[Tally]]:
        owners = [at for at, row in enumerate(rows) for _ in (row["multi"] if row["multi"] is not None else ())]
        blocks = len(self._target.action_blocks)
        all_scores = [row["multi"] for row in rows if row["multi"] is not None]
        scores = np.concatenate(all_scores) if all_scores else np.zeros((0, blocks, len(self._labels)))
        fused, strict = multi_clip(scores, owners, truth, ShortSequences.WRONG)
        return fused, multi_clip(scores, owners, truth, ShortSequences.CORRECT)[1], strict

    def _compared(self, name: str, original: list[Tally], strict: list[Tally], why: str = "") -> Compared:
        """The best block as the original counts, the last one strictly."""
        blocks = self._target.action_blocks
        best = reported_block([one.mean for one in original], strict=False)
        choice = (
            f"the original takes the block that is best on the test set itself (here {blocks[best]}), strictly the "
            "last one counts"
            if len(blocks) > 1
            else "the original takes the block that is best on the test set itself; this target has only the last one"
        )
        return Compared(name, figure(original[best]), figure(strict[-1]), f"{choice}{why}")

    def _short(self, counts: dict[str, int], rows: Sequence[Row]) -> str:
        counts["without a clip"] = sum(row["multi"] is None for row in rows)
        dropped = " after every second one was dropped" if self._clip.every == 2 else ""
        span = f"{self._clip.frames * self._clip.subsampling} frames{dropped}"
        return (
            f"; sequences of under {span} and those whose clips cannot be read, here {counts['without a clip']}, count "
            "as correct in the original and as wrong strictly"
        )

    def _by_block(self, name: str, tallies: list[Tally]) -> Part:
        values = zip(self._target.action_blocks, tallies, strict=True)
        return Part(f"{name}, by block, original", "block", "%", {block: 100 * one.mean for block, one in values})

    def _by_class(self, labels: NDArray[np.intp], truth: NDArray[np.int64]) -> Part:
        means = 100 * per_class(labels, truth, len(self._labels)).column_means
        return Part(
            "Accuracy by action, strict", "action", "%", dict(zip(self._labels, map(float, means), strict=True))
        )

    def _notes(self) -> list[str]:
        if not self._clip.multi:
            return ["The original evaluates this network on single clips only."]
        return ["Multi-clip: scores are multiplied over clips and mirrors."]


def _confusion(labels: NDArray[np.intp], truth: NDArray[np.int64], names: tuple[str, ...]) -> Confusion:
    return Confusion(names, confusion(labels, truth, len(names)))
