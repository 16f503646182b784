"""Which prediction and action blocks an SPNet has, and how wide they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Place(NamedTuple):
    """The position of a prediction block. Pyramids count from 1: odd ones go down, even ones up."""

    pyramid: int
    level: int  # the scale: 0 is at stride 8, each further one at twice the stride

    @property
    def down(self) -> bool:
        return self.pyramid % 2 == 1

    @property
    def pyramid_name(self) -> str:
        return f"{'dp' if self.down else 'up'}{self.pyramid}"

    @property
    def unit_name(self) -> str:
        return f"{'du' if self.down else 'uu'}{self.level}"

    @property
    def block_name(self) -> str:
        return f"pb{self.level}"


@dataclass(frozen=True)
class SPNetConfig:
    """Size of the network."""

    joints: int
    dims: int
    actions: int
    pyramids: int
    action_pyramids: tuple[int, ...]
    action_features: int  # channels: of poses and of visual features, each
    levels: int = 4
    growth: int = 96
    kernel: int = 5
    replica: bool = False  # separate maps for the action part (decoupled action poses)
    blocks: int | None = None  # prediction blocks that are kept; all when absent
    image_size: int = 256

    def __post_init__(self) -> None:
        first, count = self.action_pyramids[0], len(self.action_pyramids)
        if self.action_pyramids != tuple(range(first, first + count)):
            raise ValueError("action pyramids must follow each other without a gap")

    @property
    def places(self) -> tuple[Place, ...]:
        """The prediction blocks in the order in which they are computed."""
        down = range(1, self.levels)
        up = range(self.levels - 2, -1, -1)
        every = [Place(p, level) for p in range(1, self.pyramids + 1) for level in (down if p % 2 else up)]
        return tuple(every[: self.blocks])

    @property
    def action_places(self) -> tuple[Place, ...]:
        return tuple(place for place in self.places if place.pyramid in self.action_pyramids)

    def width(self, level: int) -> int:
        return (3 + level) * self.growth

    def map_size(self, level: int) -> int:
        return self.image_size // 8 >> level

    @property
    def features_per_block(self) -> int:
        return self.joints * (self.dims + self.action_features)
