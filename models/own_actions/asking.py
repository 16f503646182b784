"""Asks a running service for the joints in videos: what is trained on is what the service sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from deephar import Client, DeepharError
from deephar.errors import PermissionDenied, Unauthenticated, Unreachable
from deephar.events import ActionEvent, PoseEvent, Started
from deephar.video import NotAVideo, frames_of

from models.lite.layout import BODY_JOINTS, FIRST_JOINT, INTERVAL_S, NUM_FRAMES, NUM_JOINTS
from models.own_actions.problem import CannotTrain
from models.own_actions.tracks import Track

BASE = "lite"
REPEATED = "repeated_frames"


def can_be_read(video: Path) -> bool:
    """Returns whether a file is a video that has a frame."""
    try:
        frames = frames_of(video)
        try:
            return next(frames, None) is not None
        finally:
            frames.close()
    except (NotAVideo, OSError):
        return False


def track_of(client: Client, video: Path) -> Track:
    """Returns the main person's joints in a video, as a service sees them.

    Raises:
        CannotTrain: The video cannot be read, or the service does not answer.
    """
    times, people, joints, scores, reasons = [], [], [], [], []
    try:
        for event in client.stream(frames_of(video), model=BASE, smooth=False):
            match event:
                case Started():
                    _check(event)
                case PoseEvent():
                    times.append(event.time_s)
                    person = event.people[0] if event.people else None
                    people.append(0 if person is None else person.id or 1)
                    points = () if person is None else person.keypoints[FIRST_JOINT:]
                    joints.append([(point.x, point.y) for point in points] or [(0.0, 0.0)] * BODY_JOINTS)
                    scores.append([point.score for point in points] or [0.0] * BODY_JOINTS)
                case ActionEvent():
                    reasons.append(event.reason)
    except (DeepharError, NotAVideo) as error:
        raise CannotTrain(_told(error, video)) from None
    if reasons and all(reason == REPEATED for reason in reasons):
        people = [0] * len(people)  # the service names no action in a still picture
    return Track(
        np.array(times, np.float32),
        np.array(people, np.int64),
        np.array(joints, np.float32).reshape(-1, BODY_JOINTS, 2),
        np.array(scores, np.float32).reshape(-1, BODY_JOINTS),
    )


def check_service(client: Client, weights: str) -> None:
    """Raises `CannotTrain` where no service answers, or its `lite` is not the one of the repository.

    Args:
        client: Of the service.
        weights: What the repository's card says of where the weights come from.
    """
    try:
        models = {model.name: model for model in client.models()}
    except Unreachable as error:
        raise CannotTrain(f"videos are looked at by a running service, and there is none: {error}") from None
    except (Unauthenticated, PermissionDenied) as error:
        raise CannotTrain(f"{error}; the key is taken from DEEPHAR_API_KEY") from None
    except DeepharError as error:
        raise CannotTrain(f"the service does not answer: {error}") from None
    if BASE not in models or not models[BASE].ready:
        raise CannotTrain(f"the service has no model {BASE} that is ready, whose keypoints are trained on")
    if models[BASE].card.get("weights") != weights:
        raise CannotTrain(f"the service's {BASE} is another one than that of the repository; give its --repository")


def _check(started: Started) -> None:
    found = started.clip_frames, started.sample_interval_s, len(started.layout.joints)
    if found != (NUM_FRAMES, INTERVAL_S, NUM_JOINTS):
        raise CannotTrain(f"the service's {BASE} has other windows or joints than this checkout's: {found}")


def _told(error: Exception, video: Path) -> str:
    if isinstance(error, Unreachable):
        return f"the service was lost at {video}: {error}; what was seen so far is kept, so run the command again"
    return f"{video}: {error}"
