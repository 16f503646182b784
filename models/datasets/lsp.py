"""Leeds Sports Pose, as its owners publish it: 2,000 people, carefully annotated, the last 1,000 for testing."""

from __future__ import annotations

from pathlib import Path

from models.datasets import leeds
from models.datasets.check import Finding
from models.datasets.published import LSP_PAGE
from models.protocol.boxes import POSE_MARGIN

SPLITS = ("train", "test")

_FORM = leeds.Form(
    name="lsp",
    title="Leeds Sports Pose",
    source=LSP_PAGE,
    splits=SPLITS,
    people=2000,
    axes=(2, 1, 0),  # 3 x 14 x 2000
    digits=4,
    flag_means_occluded=True,
)


def open_split(folder: Path, split: str, around: leeds.Around = "picture", margin: float = POSE_MARGIN) -> leeds.Leeds:
    """A split of Leeds Sports Pose.

    Args:
        folder: Of the data set.
        split: One of SPLITS.
        around: What the window encloses: the whole picture, or the annotated joints, which tells the network where the
            person is.
        margin: Side of the window over the longer side of the joints' box.

    Raises:
        DataProblem: Files are missing or are not those of the data set.
    """
    return leeds.Leeds(_FORM, folder, split, around, margin)


def inspect(folder: Path) -> list[Finding]:
    """What of Leeds Sports Pose lies in a folder."""
    return leeds.inspect(_FORM, folder)
