"""How many samples make what a recipe calls an epoch: about one pass over the data set that leads it."""

from __future__ import annotations

MPII_PEOPLE = 22_246  # of the usual training split
PENN_SEQUENCES = 1_258
NTU_SEQUENCES = 40_091  # cross-subject
