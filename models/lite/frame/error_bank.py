"""What the frame network gets wrong: measured errors and scores of people with labels, to train other networks with.

    python -m models.lite.frame.error_bank --data ../shared/data --out build/lite

writes `error_bank.npz` (people of the training sets) and `error_bank_held_out.npz` (LSP's held-out people, for
evaluation only). Needs torch to measure, not to load and to draw.
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
CANDIDATES = 64  # random entries, of which the one with the nearest pose is taken
SUBSTITUTES = 4  # next nearest ones, for joints that the nearest has no label of
FEWEST_LABELS = 12
# Of people whom the network was trained on. In shaken crops it errs of them as often, and is as sure, as in plain crops
# of people whom it was not. LSPET has no part in it: its labels are too often wrong to tell the network's errors.
LOOKS = 6


@dataclass(frozen=True)
class ErrorBank:
    """N people: lengths in torsos (the larger diagonal from a shoulder to the opposite hip), x right, y down."""

    errors: Floats  # (N, 16, 2) found minus true; 0 where there is no label
    scores: Floats  # (N, 16) in 0..1, as the network gives them
    joints: Floats  # (N, 16, 2) true places relative to the pelvis; 0 where there is no label
    valid: Bools  # (N, 16) labelled

    def __len__(self) -> int:
        return len(self.errors)

    def draw(self, rng: np.random.Generator, poses: Floats) -> tuple[Floats, Floats]:
        """Errors (B, 16, 2) and scores (B, 16) as of people in `poses` (B, 16, 2; see `to_torsos`).

        An error only makes sense on the pose that it was made on (an elbow for a wrist, left for right), so each is
        taken from the nearest of 64 random people.
        """
        batch = len(poses)
        candidates = rng.integers(0, len(self), (batch, CANDIDATES))
        # Mean squared distance over the labelled joints; `joints` is 0 where there is no label.
        known = self.valid.astype(np.float32)[candidates]  # (B, 64, 16)
        squares = (self.joints**2).sum((1, 2))[candidates] + (known @ (poses**2).sum(-1)[..., None])[..., 0]
        products = self.joints.reshape(len(self), -1)[candidates] @ poses.reshape(batch, -1, 1)
        distance = (squares - 2 * products[..., 0]) / self.valid.sum(1)[candidates]  # (B, 64)
        order = np.argpartition(distance, SUBSTITUTES, axis=1)[:, :SUBSTITUTES]
        by_distance = np.argsort(np.take_along_axis(distance, order, 1), axis=1)
        nearest = np.take_along_axis(candidates, np.take_along_axis(order, by_distance, 1), 1)  # (B, 4)
        joint = np.arange(poses.shape[1])
        source = nearest[np.arange(batch)[:, None], self.valid[nearest].argmax(1)]  # (B, 16): the first with a label
        return self.errors[source, joint], self.scores[source, joint]


def to_torsos(joints: Floats) -> tuple[Floats, Floats]:
    """Joints (B, 16, 2) of any unit relative to the pelvis in torsos, and that torso (B,) in the joints' unit."""
    torso = torso_size(joints)
    return ((joints - joints[:, [PELVIS]]) / torso[:, None, None]).astype(np.float32), torso


def bank_of(people: People, keypoints: Floats, scores: Floats) -> ErrorBank:
    """Compares what a network found, keypoints (N, 16, 2) in pixels and scores (N, 16), with the labels.

    People without the labels that a torso needs are left out.
    """
    valid = people.valid
    usable = valid[:, PELVIS] & valid[:, THORAX] & (valid.sum(1) >= FEWEST_LABELS)
    torso = np.maximum(torso_size(people.joints, valid), 1)[:, None, None]
    errors = np.where(valid[..., None], (keypoints - people.joints) / torso, 0)
    joints = np.where(valid[..., None], (people.joints - people.joints[:, [PELVIS]]) / torso, 0)
    return _rows(ErrorBank(errors.astype(np.float32), scores, joints.astype(np.float32), valid), usable)


def mirrored(bank: ErrorBank) -> ErrorBank:
    """The people as in a mirror: right is left."""
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
    shaken: np.random.Generator | None = None,
) -> ErrorBank:
    """The network's errors of people in crops of `size` pixels, plain or shaken, and its scores as served."""
    from models.lite.frame.plain_crops import look

    keypoints, logits = look(network, people, size, shaken=shaken)
    return bank_of(people, keypoints, calibration.scores(logits).astype(np.float32))


def measure_training(network: FrameNetwork, data: Path, size: int, calibration: Calibration, seed: int) -> ErrorBank:
    """Of the people to train on whose labels are careful, several looks at each; all of it also as in a mirror."""
    rng = np.random.default_rng(seed)
    careful = pose_data.load_careful(data)
    banks = [measure_errors(network, people, size, calibration, rng) for people in careful for _ in range(LOOKS)]
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
