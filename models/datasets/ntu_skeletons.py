"""NTU RGB+D's skeleton files: bodies by frame, and the one that does the action.

The main body: bodies of 11 frames or fewer, and those wider than high in most frames (furniture), are left out as long
as others remain. Of the rest it is the one whose joints move most. The tracker gives a person a new number when it
loses them: bodies that are never seen together with the main one are taken for the same person.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.datasets.formats.content import foreign_content
from models.datasets.problem import DataProblem
from models.datasets.samples import Floats

JOINTS = 25
_BODY_TOKENS, _JOINT_TOKENS = 10, 12  # per body, and x y z, depth x y, colour x y, orientation w x y z, state per joint
_SMALLEST_WITH_A_BODY = 4096  # bytes that no file with only empty frames reaches; smaller files are read to know
_NOISE_FRAMES, _WIDE, _WIDE_SHARE = 11, 0.8, 0.7


@dataclass
class _Body:
    frames: list[int] = field(default_factory=list)  # from 0
    joints: list[Floats] = field(default_factory=list)  # (25, 12) each

    @property
    def motion(self) -> float:
        """How much the joints move in space."""
        return float(np.stack(self.joints)[..., :3].var(axis=0).sum())

    @property
    def is_noise(self) -> bool:
        spans = np.ptp(np.stack(self.joints)[..., :2], axis=1)  # (T, 2)
        wide = (spans[:, 0] > _WIDE * spans[:, 1]).mean()
        return len(self.frames) <= _NOISE_FRAMES or bool(wide > _WIDE_SHARE)


def has_body(file: Path) -> bool:
    """Whether a skeleton file has a body in any frame. Reads only files that are too small for one."""
    return file.stat().st_size >= _SMALLEST_WITH_A_BODY or bool(_bodies(file))


def main_body(file: Path) -> tuple[list[int], Floats]:
    """The frames (from 0) in which the main body is seen, and its u, v (full-HD pixels) and depth (mm): (T, 25, 3).

    Raises:
        DataProblem: The file is missing or damaged, or has no body.
    """
    bodies = _bodies(file)
    if not bodies:
        raise DataProblem(f"{file} has no body in any frame: it is one of the broken samples, leave it out")
    sure = [body for body in bodies if not body.is_noise] or bodies
    by_frame: dict[int, Floats] = {}
    for body in sorted(sure, key=lambda body: -body.motion):
        if not by_frame.keys() & set(body.frames):
            by_frame |= zip(body.frames, body.joints, strict=True)
    frames = sorted(by_frame)
    joints = np.stack([by_frame[frame] for frame in frames])
    return frames, np.stack([joints[..., 5], joints[..., 6], 1000 * joints[..., 2]], axis=-1)


def _bodies(file: Path) -> list[_Body]:
    try:
        return list(_parsed(file.read_text("ascii").split()).values())
    except FileNotFoundError:
        raise DataProblem(f"{file} is missing") from None
    except OSError as error:
        raise DataProblem(f"{file}: {error.strerror}") from error
    except (ValueError, IndexError) as error:
        why = foreign_content(file) or "it is cut or no skeleton file"
        raise DataProblem(f"{file}: {why}. Download it again") from error


def _parsed(tokens: list[str]) -> dict[str, _Body]:
    bodies: dict[str, _Body] = {}
    at = 1
    for frame in range(int(tokens[0])):
        count, at = int(tokens[at]), at + 1
        for _ in range(count):
            name, joints = tokens[at], int(tokens[at + _BODY_TOKENS])
            at += _BODY_TOKENS + 1
            if joints != JOINTS:
                raise ValueError(f"{joints} joints")
            numbers = np.array(tokens[at : at + JOINTS * _JOINT_TOKENS], np.float64)
            at += JOINTS * _JOINT_TOKENS
            body = bodies.setdefault(name, _Body())
            body.joints.append(numbers.reshape(JOINTS, _JOINT_TOKENS))
            body.frames.append(frame)
    return bodies
