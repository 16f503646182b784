"""Leeds Sports Pose Extended, as its owners publish it: 10,000 people, annotated by a crowd, for training."""

from __future__ import annotations

from functools import partial

from models.datasets import leeds
from models.datasets.published import LSPET_PAGE

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

open_split = partial(leeds.open_split, _FORM)
inspect = partial(leeds.inspect, _FORM)
