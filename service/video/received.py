"""Frames as live senders send them: encoded, or raw pixels with their size."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from service.errors import DeepharError, InvalidArgument, InvalidImage, PayloadTooLarge
from service.video.frame import BadFrame, Frame, TrackedBox
from service.vision.crops import Image
from service.vision.images import check_encoded

LATEST_NS = 2**62  # largest time stamp: times of events, which may be later, still fit int64


class FrameLimits(NamedTuple):
    max_bytes: int  # of an encoded picture
    max_pixels: int  # of a raw one


class Sent(NamedTuple):
    """What a sender says of a frame."""

    picture: bytes | memoryview
    size: tuple[int, int] | None  # width and height of raw RGB; None: encoded
    frame_id: int
    time_ns: int
    boxes: tuple[TrackedBox, ...] = ()


def received(sent: Sent, limits: FrameLimits) -> Frame | BadFrame:
    """Returns the frame, or why it cannot be used. Encoded pictures are not decoded here."""
    try:
        return _frame(sent, limits)
    except DeepharError as error:
        return BadFrame(error, sent.frame_id, sent.time_ns)


def _frame(sent: Sent, limits: FrameLimits) -> Frame:
    if abs(sent.time_ns) > LATEST_NS:
        raise InvalidArgument(f"timestamp_ns must be within {-LATEST_NS} and {LATEST_NS}, nanoseconds of one clock")
    picture: bytes | Image
    if sent.size is None:
        picture = bytes(sent.picture)
        check_encoded(picture, limits.max_bytes)
    else:
        picture = _pixels(sent.picture, *sent.size, limits.max_pixels)
    return Frame(picture, sent.frame_id, sent.time_ns, boxes=sent.boxes)


def _pixels(rgb: bytes | memoryview, width: int, height: int, max_pixels: int) -> Image:
    """Returns the pixels (H, W, 3) of a raw picture, without a copy."""
    if width * height > max_pixels:
        raise PayloadTooLarge(f"a frame has {width} x {height} pixels; at most {max_pixels} are taken: shrink it")
    if not rgb or len(rgb) != width * height * 3:
        raise InvalidImage(
            f"a raw frame of {width} x {height} must have {width * height * 3} bytes of RGB, not {len(rgb)}"
        )
    return np.frombuffer(rgb, np.uint8).reshape(height, width, 3)
