"""What is sent in a stream: frames, and the wish to have all before answered."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from deephar.errors import InvalidArgument
from deephar.results import Box, Size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Picture: TypeAlias = bytes | NDArray[np.uint8]

NS = 1_000_000_000
_MOST_IDS = 2**64


class TrackedBox(NamedTuple):
    """A person whom the caller tracks, for `people="boxes"`."""

    id: int
    box: Box | tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a video.

    Attributes:
        picture: An encoded picture (JPEG, PNG, WebP, ...), or pixels (H, W, 3) in RGB, which are sent as they are.
        time_s: Seconds of media time; rises from frame to frame.
        frame_id: The caller's number of it, which comes back in events; a whole number from 0.
        boxes: With `people="boxes"`, the people in it.
    """

    picture: Picture
    time_s: float
    frame_id: int
    boxes: tuple[TrackedBox, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.frame_id < _MOST_IDS or not isfinite(self.time_s):
            raise InvalidArgument(
                "invalid_argument",
                f"frame_id must be a whole number from 0 and time_s seconds, not {self.frame_id!r} and {self.time_s!r}",
            )

    @property
    def time_ns(self) -> int:
        return round(self.time_s * NS)


@dataclass(frozen=True, slots=True)
class Flush:
    """Among the frames of a stream: all before it are to be answered for good. `Flushed` comes back."""


class Pixels(NamedTuple):
    """Raw RGB, row by row."""

    rgb: bytes
    size: Size


def pixels_of(picture: Any) -> Pixels:
    """Returns the pixels of an array (H, W, 3) of bytes.

    Raises:
        InvalidArgument: It is no such array.
    """
    shape = getattr(picture, "shape", None)
    if shape is None or len(shape) != 3 or shape[2] != 3 or str(picture.dtype) != "uint8" or 0 in shape:
        what = f"an array of {picture.dtype} with shape {tuple(shape)}" if shape is not None else type(picture).__name__
        raise InvalidArgument(
            "invalid_argument", f"a picture is bytes, or a NumPy array (H, W, 3) of uint8 in RGB, not {what}"
        )
    return Pixels(picture.tobytes(), Size(int(shape[1]), int(shape[0])))
