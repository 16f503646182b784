"""Why a training cannot begin or go on."""

from __future__ import annotations


class CannotTrain(Exception):
    """The training ended, or did not begin; the text says why and what to do."""


class Stopped(Exception):
    """A signal ended the training between two steps; what it had learned is in the checkpoint."""

    def __init__(self, signal: int) -> None:
        super().__init__("stopped. The same command goes on from there")
        self.signal = signal
