"""One step of a phase: the losses of a batch, their gradients and what the optimizer makes of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from models.training.distributed import Process
from models.training.optimizers import optimizer_of, rate_of
from models.training.problem import CannotTrain
from models.training.recipe import Batch, Phase, Recipe

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SMALLEST_SCALE = 2.0**-10  # of fp16's losses: gradients that overflow even so are not finite in fp32 either


class _Losses(nn.Module):
    """The recipe's loss as a module, so that PyTorch's DistributedDataParallel sees its forward pass."""

    def __init__(self, network: nn.Module, recipe: Recipe, phase: Phase) -> None:
        super().__init__()
        self.network, self._loss, self._phase = network, recipe.loss, phase

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        losses = self._loss(self.network, batch, self._phase)
        return losses["total"], {name: loss.detach() for name, loss in losses.items()}


class PhaseSteps:
    """What makes the steps of a phase: the optimizer and, for fp16, the scale of the losses."""

    def __init__(self, network: nn.Module, recipe: Recipe, phase: Phase, process: Process, precision: str) -> None:
        self._phase, self._process, self._precision = phase, process, precision
        self._parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        if not self._parameters:
            raise CannotTrain(f"phase {phase.name} trains {phase.trains}, of which {recipe.name} has nothing")
        self._losses = process.shared(_Losses(network, recipe, phase))
        self._optimizer = optimizer_of(phase, self._parameters)
        self._scaler = torch.amp.GradScaler(process.device.type, enabled=precision == "fp16")

    def begin_epoch(self, epoch: int) -> None:
        """Sets the rate of an epoch of the phase, from 0."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate_of(self._phase, epoch)

    @property
    def learning_rate(self) -> float:
        return float(self._optimizer.param_groups[0]["lr"])

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The loss to be minimised, and all of them as numbers."""
        kind = PRECISIONS[self._precision]
        with torch.autocast(self._process.device.type, kind, enabled=kind != torch.float32):
            total, losses = self._losses(batch)
        values = torch.stack([loss.float() for loss in losses.values()]).tolist()
        return total, dict(zip(losses, values, strict=True))

    def learn(self, total: Tensor) -> float:
        """Makes the step. Returns the length of the gradient, which may be infinite in fp16 only: no step is made then.

        Raises:
            FloatingPointError: The gradient is not finite.
        """
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(total).backward()
        self._scaler.unscale_(self._optimizer)
        length = nn.utils.get_total_norm([p.grad for p in self._parameters if p.grad is not None])
        # In fp16 an overflow is ordinary: the scaler leaves the step out and halves the scale.
        may_overflow = self._scaler.is_enabled() and self._scaler.get_scale() > SMALLEST_SCALE
        if not length.isfinite() and not may_overflow:
            raise FloatingPointError("the gradient is")
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return float(length)

    def state(self) -> dict[str, Any]:
        return {"optimizer": self._optimizer.state_dict(), "scaler": self._scaler.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        self._optimizer.load_state_dict(state["optimizer"])
        if state["scaler"] and self._scaler.is_enabled():
            self._scaler.load_state_dict(state["scaler"])
