"""Leeds Sports Pose, as its owners publish it: 2,000 people, carefully annotated, the last 1,000 for testing."""

from __future__ import annotations

from functools import partial

from models.datasets import leeds
from models.datasets.published import LSP_PAGE

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

open_split = partial(leeds.open_split, _FORM)
inspect = partial(leeds.inspect, _FORM)
