"""How many inputs there are, and which: FUZZ_INPUTS in all, by FUZZ_SEED; few are the same each time."""

from __future__ import annotations

import os
import random

from hypothesis import HealthCheck, Phase, settings

FEW = 2_000
INPUTS = int(os.environ.get("FUZZ_INPUTS", FEW))
SEED = int(os.environ.get("FUZZ_SEED") or (random.randrange(2**31) if INPUTS > FEW else 1))
TARGETS = ("pictures", "videos", "bodies", "frames", "messages")  # in processes of their own
# Percent of all inputs. The service that runs has fewer than what is called in one process, which takes a tenth of the
# time for each.
_SHARES = {
    "pictures": 30,
    "videos": 5,
    "bodies": 19,
    "frames": 13,
    "messages": 15,
    "rest": 6,
    "grpc": 6,
    "websocket": 6,
}
assert sum(_SHARES.values()) == 100


def inputs(what: str) -> int:
    """Returns the number of inputs of one part."""
    return INPUTS * _SHARES[what] // 100


def examples(count: int) -> settings:
    """Returns Hypothesis' settings for so many examples; one that fails is told as it is, its seed is `SEED`."""
    return settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
