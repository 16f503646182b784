"""How a picture and its truth are varied in training: the original's choices for each data set, drawn uniformly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COLOUR_POWERS = tuple(round(0.9 + 0.02 * step, 2) for step in range(11))


@dataclass(frozen=True)
class Variation:
    """What was drawn for one sample; a clip's frames share it. The defaults change nothing."""

    angle_deg: float = 0.0  # counter-clockwise
    scale: float = 1.0  # of the window
    shift_px: tuple[float, float] = (0.0, 0.0)  # of the window; times `scale`
    mirror: bool = False
    powers: tuple[float, float, float] = (1.0, 1.0, 1.0)  # of red, green and blue
    subsampling: int = 1


@dataclass(frozen=True)
class Augmentation:
    """The choices."""

    angles_deg: tuple[float, ...] = (0.0,)
    scales: tuple[float, ...] = (1.0,)
    shifts_x_px: tuple[float, ...] = (0.0,)
    shifts_y_px: tuple[float, ...] = (0.0,)
    mirrors: tuple[bool, ...] = (False, True)
    powers: tuple[float, ...] = COLOUR_POWERS
    subsamplings: tuple[int, ...] = (1,)

    def draw(self, random: np.random.Generator) -> Variation:
        return Variation(
            angle_deg=_choice(random, self.angles_deg),
            scale=_choice(random, self.scales),
            shift_px=(_choice(random, self.shifts_x_px), _choice(random, self.shifts_y_px)),
            mirror=bool(_choice(random, self.mirrors)),
            powers=(_choice(random, self.powers), _choice(random, self.powers), _choice(random, self.powers)),
            subsampling=int(_choice(random, self.subsamplings)),
        )


def _choice(random: np.random.Generator, values: tuple[float, ...]) -> float:
    return values[int(random.integers(len(values)))]


def steps(end: int, step: int) -> tuple[float, ...]:
    """-end .. end."""
    return tuple(float(value) for value in range(-end, end + 1, step))


SCALES = (0.7, 1.0, 1.3)
TPAMI20 = {
    "mpii": Augmentation(steps(40, 5), SCALES),
    "h36m": Augmentation(steps(10, 5), (0.8, 1.0, 1.2), steps(20, 5), steps(4, 1)),
    "penn": Augmentation(steps(30, 5), SCALES, steps(40, 5), steps(10, 5), subsamplings=(4, 6, 8)),
    "ntu": Augmentation((0.0,), SCALES, steps(40, 5), steps(10, 5), subsamplings=(3, 4, 5)),
}
CVPR18 = {
    "mpii": TPAMI20["mpii"],
    "h36m": TPAMI20["h36m"],
    "penn": Augmentation(steps(30, 5), (*SCALES, 2.5), steps(40, 5), steps(40, 5), subsamplings=(1, 2)),
    "ntu": Augmentation((0.0,), SCALES, steps(40, 5), steps(40, 5), subsamplings=(1, 2, 3)),
}
