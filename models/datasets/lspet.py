"""Leeds Sports Pose Extended, as its owners publish it: 10,000 people, annotated by a crowd, for training."""

from __future__ import annotations

from pathlib import Path

from models.datasets import leeds
from models.datasets.check import Finding
from models.datasets.published import LSPET_PAGE
from models.protocol.boxes import POSE_MARGIN

SPLITS = ("train",)

_FORM = leeds.Form(
    name="lspet",
    title="Leeds Sports Pose Extended",
    source=LSPET_PAGE,
    splits=SPLITS,
    people=10_000,
    axes=(2, 0, 1),  # 14 x 3 x 10000
    digits=5,
    flag_means_occluded=False,
)


def open_split(folder: Path, split: str, around: leeds.Around = "picture", margin: float = POSE_MARGIN) -> leeds.Leeds:
    """A split of Leeds Sports Pose Extended, whose options are those of Leeds Sports Pose.

    Raises:
        DataProblem: Files are missing or are not those of the data set.
    """
    return leeds.Leeds(_FORM, folder, split, around, margin)


def inspect(folder: Path) -> list[Finding]:
    """What of Leeds Sports Pose Extended lies in a folder."""
    return leeds.inspect(_FORM, folder)
