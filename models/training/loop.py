"""The loop over a recipe's phases, epochs and steps."""

from __future__ import annotations

import gc
import math
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from models.training import checkpoint, log, plots
from models.training.checkpoint import Origin, Position
from models.training.distributed import Process
from models.training.problem import CannotTrain, Stopped
from models.training.recipe import Batch, Phase, Recipe, Sources
from models.training.step import PhaseSteps
from models.training.stopping import Stop

DRAWN_EVERY_S = 60.0


class Validation(Protocol):
    """What is measured after each epoch."""

    figure: str  # the one of its figures by which the best epoch is chosen
    larger_is_better: bool

    def __call__(self, network: nn.Module, process: Process) -> dict[str, float]:
        """Figures of a network in evaluation mode, the same in every process."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is not part of the recipe. All but the seed may differ from run to run of one training."""

    seed: int = 0
    precision: str = "fp32"
    workers: int = 0  # processes that read data, for each process that trains
    log_steps: int = 50
    checkpoint_minutes: float = 15.0
    checkpoint_steps: int | None = None


class Run:
    """One run of a training: from its beginning, or from the checkpoint in its folder."""

    def __init__(
        self,
        recipe: Recipe,
        sources: Sources,
        network: nn.Module,
        out: Path,
        settings: Settings,
        process: Process,
        stop: Stop,
        *,
        started_from: str = "",
        validation: Validation | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepares the run.

        Args:
            recipe: How is trained.
            sources: The recipe's data sets.
            network: With the weights to begin with; a checkpoint replaces them.
            out: Folder of the checkpoint, the log and the curves.
            settings: Of this run.
            process: This one of those that train together.
            stop: Tells when to end.
            started_from: What the weights are, for the checkpoint; "" for random ones.
            validation: Measured after each epoch that has trained poses.
            say: Takes lines for people.

        Raises:
            CannotTrain: The folder has the checkpoint of another training.
        """
        self._recipe, self._sources, self._out, self._settings = recipe, sources, out, settings
        self._process, self._stop, self._validation, self._say = process, stop, validation, say
        self._origin = Origin.of(recipe, sources, settings.seed, started_from)
        self.network = network.to(process.device)
        # Batch normalisations without gamma have constants in its place.
        self._constants = [parameter for parameter in self.network.parameters() if not parameter.requires_grad]
        self._at = Position()
        self._best: float | None = None
        self._restored: dict[str, Any] | None = None
        self._recent, self._epoch = log.Means(), log.Means()  # since the last line of the log, and of the epoch
        if (out / checkpoint.LAST).exists():
            self._resume(out / checkpoint.LAST)
        elif process.first:
            log.cut_after(out)
        self._saved_s = self._logged_s = self._drawn_s = time.monotonic()

    def _resume(self, file: Path) -> None:
        found = checkpoint.resumable(file, self._origin)
        self._origin, self._at, self._best = found["origin"], found["position"], found["best"]
        self.network.load_state_dict(found["network"])
        self._restored = found["phase"]
        if self._process.first:  # its sums are those of all processes
            self._recent, self._epoch = log.Means(found["recent"]), log.Means(found["epoch"])
            log.cut_after(self._out, self._at.total, in_epoch=self._at.step > 0)
        finished = self._at.phase == len(self._recipe.phases)
        self._say(f"{file}: " + ("the training is finished" if finished else f"goes on {self._where()}"))

    def to_the_end(self) -> None:
        """Trains.

        Raises:
            CannotTrain: A loss or a gradient was not finite.
            Stopped: A signal came. The checkpoint is written.
        """
        while self._at.phase < len(self._recipe.phases):
            self._run_phase(self._recipe.phases[self._at.phase])
            if self._process.world > 1:
                gc.collect()  # DistributedDataParallel keeps its hooks on the weights until then

    def _run_phase(self, phase: Phase) -> None:
        if (self._at.epoch, self._at.step) == (0, 0):
            self._recipe.begin(self.network, phase)
        self._prepare(phase)
        steps = PhaseSteps(self.network, self._recipe, phase, self._process, self._settings.precision)
        if self._restored is not None:
            steps.load(self._restored)
            self._restored = None
        while True:
            self._run_epoch(phase, steps)
            figures = self._validated(phase)
            self._epoch, self._recent = (
                self._log("epoch", self._epoch, phase, steps, {"validation": figures}),
                log.Means(),
            )
            better, at = self._is_best(figures), self._at
            last = at.epoch + 1 == phase.epochs
            self._at = Position(at.phase + 1, total=at.total) if last else replace(at, epoch=at.epoch + 1, step=0)
            if last:  # else an earlier phase's figure could keep a network without actions as the best one
                self._best = None
            self._save(None if last else steps, better)
            self._draw()
            if last:
                return

    def _draw(self) -> None:
        """Draws the curves at the end, and before that now and then."""
        now, finished = time.monotonic(), self._at.phase == len(self._recipe.phases)
        if self._process.first and (finished or now - self._drawn_s >= DRAWN_EVERY_S):
            plots.draw(self._out)
            self._drawn_s = now

    def _prepare(self, phase: Phase) -> None:
        self._recipe.prepare(self.network, phase)
        for parameter in self._constants:
            parameter.requires_grad_(False)

    def _run_epoch(self, phase: Phase, steps: PhaseSteps) -> None:
        at, process, settings = self._at, self._process, self._settings
        if process.any_of([self._stop.signal is not None])[0]:
            raise self._stopped()
        self._prepare(phase)
        steps.begin_epoch(at.epoch)
        batches = self._recipe.batches(
            phase, self._sources, settings.seed, at.epoch, process.rank, process.world,
            start=at.step, workers=settings.workers, pin_memory=process.device.type == "cuda",
        )  # fmt: skip
        for batch in batches:
            if self._at.step == phase.steps_per_epoch:
                break
            self._step(batch, phase, steps)
        if self._at.step < phase.steps_per_epoch:
            raise CannotTrain(f"the data ended {self._where()}, of {phase.steps_per_epoch} steps")

    def _step(self, batch: Batch, phase: Phase, steps: PhaseSteps) -> None:
        settings, process = self._settings, self._process
        checkpoint.seed_step(settings.seed, self._at.total, process.rank)
        total, losses = steps.forward(batch.to(process.device))
        broken = [name for name, loss in losses.items() if not math.isfinite(loss)]
        wrong, stopped, due = process.any_of([bool(broken), self._stop.signal is not None, self._is_due()])
        if wrong:
            raise self._not_finite(f"the loss ({', '.join(broken) or 'of another process'}) is")
        try:
            length = steps.learn(total)
        except FloatingPointError as what:
            raise self._not_finite(str(what)) from None
        self._at = replace(self._at, step=self._at.step + 1, total=self._at.total + 1)
        for means in (self._recent, self._epoch):
            means.add(losses | ({"gradient": length} if math.isfinite(length) else {}))
        if self._at.step % settings.log_steps == 0:
            self._recent = self._log("steps", self._recent, phase, steps)
        # The end of the epoch writes a checkpoint of its own, but after the validation, which may take long.
        ended = self._at.step == phase.steps_per_epoch
        if stopped or (self._validates(phase) if ended else due):
            self._save(steps)
        if stopped:
            raise self._stopped()

    def _stopped(self) -> Stopped:
        return Stopped(self._stop.signal or signal.SIGTERM)  # of another process

    def _is_due(self) -> bool:
        """Whether it is time for a checkpoint within the epoch."""
        every, minutes = self._settings.checkpoint_steps, self._settings.checkpoint_minutes
        by_steps = every is not None and (self._at.step + 1) % every == 0
        return by_steps or time.monotonic() - self._saved_s >= 60 * minutes

    def _not_finite(self, what: str) -> CannotTrain:
        kept = self._out / checkpoint.LAST
        goes_on = f"{kept} is from before" if kept.exists() else "there is no checkpoint yet"
        return CannotTrain(
            f"{what} not finite {self._where()}: {goes_on}. Look at the pictures and annotations of the log's last "
            "steps; bf16 or fp32 instead of fp16, or a lower learning rate, may help"
        )

    def _where(self) -> str:
        names = [phase.name for phase in self._recipe.phases]
        if self._at.phase == len(names):
            return "to the end"
        return f"in phase {names[self._at.phase]}, epoch {self._at.epoch + 1}, after {self._at.step} of its steps"

    def _validated(self, phase: Phase) -> dict[str, float]:
        if self._validation is None or not self._validates(phase):
            return {}
        return self._validation(self.network.eval(), self._process)

    def _validates(self, phase: Phase) -> bool:
        return self._validation is not None and phase.trains != "actions"

    def _is_best(self, figures: dict[str, float]) -> bool:
        if self._validation is None or not figures:
            return False
        found = figures[self._validation.figure]
        larger = self._validation.larger_is_better
        better = self._best is None or (found > self._best if larger else found < self._best)
        self._best = found if better else self._best
        return better

    def _log(
        self, kind: str, own: log.Means, phase: Phase, steps: PhaseSteps, more: dict[str, Any] | None = None
    ) -> log.Means:
        """Writes a line of the means of all processes. Returns where the next ones are added."""
        means = log.Means.of_all(self._process.gathered(own))
        now = time.monotonic()
        line = {
            "kind": kind,
            "phase": phase.name,
            "epoch": self._at.epoch + 1,
            "step": self._at.step,
            "total": self._at.total,
            "learning_rate": steps.learning_rate,
            "losses": means.figures(),
            **(more or {}),
            "seconds": round(now - self._logged_s, 3),  # since the line before
        }
        self._logged_s = now
        if self._process.first:
            log.append(self._out, line)
            self._say(log.told(line, phase.steps_per_epoch, phase.epochs))
        return log.Means()

    def _save(self, steps: PhaseSteps | None, best: bool = False) -> None:
        """Writes the checkpoint; without `steps` the next phase begins with an optimizer of its own."""
        parts = self._process.gathered((self._recent, self._epoch))
        self._recent, self._epoch = log.Means(), log.Means()
        if self._process.first:
            self._recent, self._epoch = (log.Means.of_all(one) for one in zip(*parts, strict=True))
            state = {
                "network": self.network.state_dict(),
                "phase": steps.state() if steps else None,
                "recent": self._recent.sums,
                "epoch": self._epoch.sums,
                "best": self._best,
                "progress": self._where(),
            }
            for name in (checkpoint.LAST, *([checkpoint.BEST] if best else [])):
                checkpoint.write(self._out / name, self._origin, self._at, state)
        self._saved_s = time.monotonic()
