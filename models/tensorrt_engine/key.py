"""What an engine depends on: while none of it changes, it is not rebuilt."""

from __future__ import annotations

from dataclasses import asdict, dataclass

PRECISIONS = ("fp16", "bf16", "fp32")
_USUAL_BATCH, _LARGEST_BATCH = 8, 32


@dataclass(frozen=True)
class Profile:
    """Batch sizes: the smallest and largest that the engine takes, and the one that it is fastest for."""

    smallest: int
    usual: int
    largest: int


@dataclass(frozen=True)
class Key:
    """All that an engine depends on."""

    onnx_sha256: str
    tensorrt: str
    compute_capability: str
    precision: str
    profile: Profile

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def profile_for(max_batch: int) -> Profile:
    """The profile of batches of 1, 8 and 32, none above the configuration's largest."""
    largest = min(_LARGEST_BATCH, max_batch)
    return Profile(1, min(_USUAL_BATCH, largest), largest)
