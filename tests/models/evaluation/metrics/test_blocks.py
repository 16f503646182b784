from __future__ import annotations

import pytest

from models.evaluation.metrics.blocks import reported_block


@pytest.mark.parametrize(
    ("values", "strict", "lowest", "block"),
    [
        ([80, 90, 85], True, False, 2),
        ([80, 90, 85], False, False, 1),
        ([80, 90, 85], False, True, 0),
        ([90, 90], False, False, 0),
    ],
)
def test_the_block_of_the_table(values: list[float], strict: bool, lowest: bool, block: int) -> None:
    assert reported_block(values, strict=strict, lowest=lowest) == block
