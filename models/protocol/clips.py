"""Which frames of a sequence make a clip. Indices count the sequence's frames from 0."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np


def single_clip(frames: int, clip: int, subsampling: int) -> list[int]:
    """`clip` frames, `subsampling` apart, from the middle of a sequence of `frames`.

    A sequence that is too short for the subsampling gets a smaller one. One shorter than the clip is slowed down by a
    power of 1.5, so that frames repeat.

    Raises:
        ValueError: A number is below 1.
    """
    return _one_clip(frames, clip, subsampling, lambda last: int(last / 2))


def random_clip(frames: int, clip: int, subsampling: int, random: np.random.Generator) -> list[int]:
    """As `single_clip`, with a random start: what training takes.

    Raises:
        ValueError: A number is below 1.
    """
    return _one_clip(frames, clip, subsampling, lambda last: int(random.integers(int(last) + 1)))


def _one_clip(frames: int, clip: int, subsampling: int, start_of: Callable[[Fraction], int]) -> list[int]:
    _check(frames, clip, subsampling)
    slow_down = Fraction(1)  # exact: a rounded factor would pick other frames
    while frames * slow_down < clip:
        slow_down *= Fraction(3, 2)
    length = frames * slow_down
    step = min(subsampling, int(length / clip))
    span = step * (clip - 1) + 1
    start = start_of(length - span)
    return [int((start + step * i) / slow_down) for i in range(clip)]


def multi_clip(frames: int, clip: int, subsampling: int) -> list[list[int]]:
    """All clips of a sequence, half overlapping; empty if the sequence is shorter than clip * subsampling frames.

    For such a sequence either take its `single_clip` or count it as `fusion.ShortSequences` says.
    """
    _check(frames, clip, subsampling)
    hop = max(1, clip // 2 + subsampling - 1)
    starts = range(0, frames - clip * subsampling + 1, hop)
    return [[start + subsampling * i for i in range(clip)] for start in starts]


def _check(frames: int, clip: int, subsampling: int) -> None:
    if min(frames, clip, subsampling) < 1:
        raise ValueError(f"frames {frames}, clip {clip} and subsampling {subsampling} must all be at least 1")
