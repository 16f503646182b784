"""What a user says of a network: how its pixels are scaled, and how its outputs are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RANGES = ("0..1", "0..255", "-1..1")
Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Pixels:
    """How a crop becomes the network's input: pixels scaled to a range, then (value - mean) / std by channel.

    Attributes:
        range: Of the scaled pixels, before mean and std.
        mean: In the order of the network's channels.
        std: Likewise.
        bgr: Whether the network's channels are blue, green, red.
    """

    range: str = RANGES[0]
    mean: Numbers = IMAGENET_MEAN
    std: Numbers = IMAGENET_STD
    bgr: bool = False

    @staticmethod
    def of(range_: str, mean: Numbers | None, std: Numbers | None, bgr: bool) -> Pixels:
        """Returns the scaling; without a mean or std that of ImageNet, or none for a range of -1..1."""
        factor = 255.0 if range_ == "0..255" else 1.0
        usual: tuple[Numbers, Numbers] = (0.0,) * 3, (1.0,) * 3
        if range_ != "-1..1":
            usual = tuple(m * factor for m in IMAGENET_MEAN), tuple(s * factor for s in IMAGENET_STD)
            if bgr:
                usual = usual[0][::-1], usual[1][::-1]
        return Pixels(range_, mean or usual[0], std or usual[1], bgr)

    def factor_and_shift(self) -> tuple[Numbers, Numbers]:
        """Returns what a pixel (0 to 255) is multiplied by, and what is then added, by channel of the network."""
        scale, shift = {"0..1": (1 / 255, 0.0), "0..255": (1.0, 0.0), "-1..1": (1 / 127.5, -1.0)}[self.range]
        return (
            tuple(scale / std for std in self.std),
            tuple((shift - mean) / std for mean, std in zip(self.mean, self.std, strict=True)),
        )

    def __str__(self) -> str:
        order = "BGR" if self.bgr else "RGB"
        mean, std = (", ".join(f"{value:.4g}" for value in values) for values in (self.mean, self.std))
        return f"{order}, {self.range}, minus ({mean}), over ({std})"


@dataclass(frozen=True)
class Geometry:
    """The square crop, and the network's input within or around it.

    Attributes:
        rows: Of the network's input.
        columns: Likewise.
        fit: Of an input that is not square: `crop` takes the middle of the square, `pad` puts the square in its middle.
    """

    rows: int
    columns: int
    fit: Literal["crop", "pad"] = "crop"

    @property
    def side(self) -> int:
        """Of the square crop."""
        return (max if self.fit == "crop" else min)(self.rows, self.columns)

    @property
    def left(self) -> int:
        """Column of the square in which the network's input begins; negative where that is wider."""
        return _half(self.side - self.columns)

    @property
    def top(self) -> int:
        """Row of the square in which the network's input begins."""
        return _half(self.side - self.rows)


def _half(difference: int) -> int:
    return difference // 2 if difference >= 0 else -(-difference // 2)


@dataclass(frozen=True)
class Decoding:
    """How outputs become keypoints.

    Attributes:
        refine: Of heatmaps, the place between pixels of the map.
        grid: Of heatmaps, where the pixels of the map lie in the input.
        scores: Whether scores are probabilities or logits; auto: as the values on the sample say.
        unit: Of coordinates, pixels of the network's input or shares of it; auto: as the values on the sample say.
        third: Of coordinates, what the third one is.
        yx: Of coordinates, whether y comes before x.
        split_ratio: Of SimCC, bins for a pixel; None: by the outputs' sizes.
    """

    refine: str = "quarter"
    grid: str = "start"
    scores: str = "auto"
    unit: str = "auto"
    third: str = "score"
    yx: bool = False
    split_ratio: float | None = None


REFINEMENTS = ("quarter", "parabola", "soft", "none")
GRIDS = ("start", "centre", "udp")
