"""Tries a written model on the running service: it must answer what was computed here."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from deephar import Client, DeepharError
from deephar.events import ActionEvent
from deephar.video import frames_of

from models.lite.clip.data import Floats

PATIENCE_S = 30.0  # for a service to take the model up
POLL_S = 0.5
ANSWER_S = 5.0


def taken_up(client: Client, name: str, actions: tuple[str, ...]) -> bool:
    """Returns whether a service serves the model with these labels, for which it has some seconds."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            served = {model.name: model for model in client.models(timeout_s=ANSWER_S) if model.ready}
            if name in served and served[name].actions == actions:
                return True
        except DeepharError:
            return False
        time.sleep(POLL_S)
    return False


def scores_through_service(client: Client, name: str, actions: tuple[str, ...], video: Path) -> Floats | None:
    """Returns the mean scores (A,) of a video's windows, as the service answers them; None where it has no action.

    Raises:
        DeepharError: The service did not answer.
    """
    windows = [
        {action.label: action.score for action in event.actions}
        for event in client.stream(frames_of(video), model=name, top_k=len(actions), smooth=False)
        if isinstance(event, ActionEvent) and event.actions
    ]
    if not windows:
        return None
    return np.array([[scores[label] for label in actions] for scores in windows], np.float32).mean(0)
