"""The frame network's errors and scores, measured on people with labels, to train the lift and the clip network with.

    python -m models.lite.frame.error_bank --data ../shared/data --out build/lite

writes `error_bank.npz` (people of the training sets) and `error_bank_held_out.npz` (LSP's held-out people, for
evaluation only). Only the measuring needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.lite.frame import data as pose_data
from models.lite.frame.calibration import Calibration
from models.lite.frame.data import HIT_TORSO, People
from models.lite.frame.torso import torso_size
from models.lite.layout import FLIP, PELVIS, THORAX

if TYPE_CHECKING:
    from models.lite.frame.network import FrameNetwork

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

BANK, HELD_OUT_BANK = "error_bank.npz", "error_bank_held_out.npz"
CANDIDATES = 64  # random entries, of which the one with the nearest pose is drawn
NEAREST = 4  # entries; the joints that the nearest has no label for are drawn from the next ones
MIN_LABELS = 12
# Jittered crops of each training person. On them the network's errors and scores are distributed as on plain crops of
# held-out people. LSPET is left out: too many of its labels are wrong.
CROPS_PER_PERSON = 6


@dataclass(frozen=True)
class ErrorBank:
    """Errors of N people, in torsos; x to the right, y down."""

    errors: Floats  # (N, 16, 2) predicted minus labelled; 0 where there is no label
    scores: Floats  # (N, 16) in 0..1, as served
    joints: Floats  # (N, 16, 2) labels relative to the pelvis; 0 where there is none
    valid: Bools  # (N, 16) labelled

    def __len__(self) -> int:
        return len(self.errors)

    def draw(self, rng: np.random.Generator, poses: Floats) -> tuple[Floats, Floats]:
        """Errors for poses, each from the nearest of 64 random people.

        An error is plausible only on a pose like the one that it was measured on (an elbow for a wrist, left for
        right).

        Args:
            rng: Draws the candidates.
            poses: (B, 16, 2) relative to the pelvis, in torsos: see `to_torsos`.

        Returns:
            Errors (B, 16, 2) in torsos and scores (B, 16).
        """
        batch = len(poses)
        candidates = rng.integers(0, len(self), (batch, CANDIDATES))
        # Mean squared distance over the labelled joints; `joints` is 0 where there is no label.
        known = self.valid.astype(np.float32)[candidates]  # (B, 64, 16)
        squares = (self.joints**2).sum((1, 2))[candidates] + (known @ (poses**2).sum(-1)[..., None])[..., 0]
        products = self.joints.reshape(len(self), -1)[candidates] @ poses.reshape(batch, -1, 1)
        distance = (squares - 2 * products[..., 0]) / self.valid.sum(1)[candidates]  # (B, 64)
        order = np.argpartition(distance, NEAREST, axis=1)[:, :NEAREST]
        by_distance = np.argsort(np.take_along_axis(distance, order, 1), axis=1)
        nearest = np.take_along_axis(candidates, np.take_along_axis(order, by_distance, 1), 1)  # (B, 4)
        joint = np.arange(poses.shape[1])
        source = nearest[np.arange(batch)[:, None], self.valid[nearest].argmax(1)]  # (B, 16): the first with a label
        return self.errors[source, joint], self.scores[source, joint]


def to_torsos(joints: Floats) -> tuple[Floats, Floats]:
    """Joints (B, 16, 2) in any unit as poses relative to the pelvis in torsos, and the torsos (B,) in that unit."""
    torso = torso_size(joints)
    return ((joints - joints[:, [PELVIS]]) / torso[:, None, None]).astype(np.float32), torso


def bank_of(people: People, keypoints: Floats, scores: Floats) -> ErrorBank:
    """The bank of a network's predictions. People without the labels that a torso needs are left out.

    Args:
        people: N people with labels.
        keypoints: (N, 16, 2) in pixels of their pictures.
        scores: (N, 16).
    """
    valid = people.valid
    usable = valid[:, PELVIS] & valid[:, THORAX] & (valid.sum(1) >= MIN_LABELS)
    torso = np.maximum(torso_size(people.joints, valid), 1)[:, None, None]
    errors = np.where(valid[..., None], (keypoints - people.joints) / torso, 0)
    joints = np.where(valid[..., None], (people.joints - people.joints[:, [PELVIS]]) / torso, 0)
    return _rows(ErrorBank(errors.astype(np.float32), scores, joints.astype(np.float32), valid), usable)


def mirrored(bank: ErrorBank) -> ErrorBank:
    """The bank of the mirrored pictures: left and right change places."""
    across = np.array([-1, 1], np.float32)
    return ErrorBank(
        bank.errors[:, FLIP] * across,
        bank.scores[:, FLIP],
        bank.joints[:, FLIP] * across,
        bank.valid[:, FLIP],
    )


def join(banks: list[ErrorBank]) -> ErrorBank:
    return ErrorBank(*(np.concatenate([getattr(bank, f.name) for bank in banks]) for f in fields(ErrorBank)))


def _rows(bank: ErrorBank, chosen: Bools) -> ErrorBank:
    return ErrorBank(*(getattr(bank, f.name)[chosen] for f in fields(ErrorBank)))


def save(bank: ErrorBank, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, **{f.name: getattr(bank, f.name) for f in fields(ErrorBank)})


def load(file: Path) -> ErrorBank:
    if not file.exists():
        raise FileNotFoundError(
            f"there is no {file}; write it by python -m models.lite.frame.error_bank --out {file.parent}"
        )
    with np.load(file) as stored:
        return ErrorBank(*(stored[f.name] for f in fields(ErrorBank)))


def measure_errors(
    network: FrameNetwork,
    people: People,
    size: int,
    calibration: Calibration,
    jitter: np.random.Generator | None = None,
) -> ErrorBank:
    """The network's errors on people, in crops of `size` pixels, with or without jitter; scores are calibrated."""
    from models.lite.frame.plain_crops import predict

    keypoints, logits = predict(network, people, size, jitter=jitter)
    return bank_of(people, keypoints, calibration.scores(logits).astype(np.float32))


def measure_training(network: FrameNetwork, data: Path, size: int, calibration: Calibration, seed: int) -> ErrorBank:
    """The bank of the training people with careful labels, from several jittered crops of each, and their mirror."""
    rng = np.random.default_rng(seed)
    people = pose_data.load_careful(data)
    banks = [measure_errors(network, people, size, calibration, rng) for _ in range(CROPS_PER_PERSON)]
    return join(banks + [mirrored(bank) for bank in banks])


def main() -> None:
    from models.lite.frame.network import INPUT_SIZE, FrameNetwork
    from models.lite.training import best_device, checkpoint, command_line, trained

    arguments = command_line(__doc__).parse_args()
    network = trained(FrameNetwork(), checkpoint(arguments.out, "frame")).to(best_device())
    calibration = Calibration.load(arguments.out)
    held_out = measure_errors(network, pose_data.load_held_out(arguments.data), INPUT_SIZE, calibration)
    save(held_out, arguments.out / HELD_OUT_BANK)
    training = measure_training(network, arguments.data, INPUT_SIZE, calibration, arguments.seed)
    save(training, arguments.out / BANK)
    for name, bank in (("training", training), ("held out", held_out)):
        right = (np.linalg.norm(bank.errors, axis=-1) < HIT_TORSO)[bank.valid].mean()
        print(f"{name}: {len(bank)} people, {right:.3f} of the joints right, mean score {bank.scores.mean():.3f}")


if __name__ == "__main__":
    main()
