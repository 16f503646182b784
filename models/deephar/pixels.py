"""Pixels as every network of this project takes them."""

from __future__ import annotations

from torch import Tensor


def to_network_range(image: Tensor) -> Tensor:
    """Pixels 0..255 to -1..1.

    Args:
        image: (B, H, W, 3), uint8.

    Returns:
        (B, 3, H, W), float32. Its memory stays in the order of the pixels (torch's channels_last).
    """
    return image.permute(0, 3, 1, 2).float() * (2.0 / 255.0) - 1.0
