"""Which of a network's N blocks a table reports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def reported_block(values: Sequence[float], *, strict: bool, lowest: bool = False) -> int:
    """The block whose figure stands in the table.

    Args:
        values: One a block.
        strict: The last block, which is the network's result; the original takes the best on the test set itself.
        lowest: Whether the lowest value is the best.
    """
    if strict:
        return len(values) - 1
    return int(np.argmin(values) if lowest else np.argmax(values))
