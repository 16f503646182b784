"""The same as the added nodes, in NumPy and joint by joint: what the graph is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.own.decoding import score_column
from models.own.options import Decoding, Geometry, Pixels
from models.own.outputs import Coordinates, Heatmaps, Kind, SimCC

Array = NDArray[Any]


def network_input(crop: NDArray[np.uint8], geometry: Geometry, pixels: Pixels, scaled: bool = True) -> Array:
    """Returns the network's input (rows, columns, 3) for a square crop."""
    top, left, rows, columns = geometry.top, geometry.left, geometry.rows, geometry.columns
    if geometry.fit == "crop":
        image = crop[top : top + rows, left : left + columns]
    else:
        below, right = rows - len(crop) + top, columns - len(crop) + left
        image = cv2.copyMakeBorder(crop, -top, below, -left, right, cv2.BORDER_CONSTANT)
    if pixels.bgr:
        image = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
    if not scaled:
        return image.astype(np.float32)
    ranges = {"0..1": image / 255, "0..255": image * 1.0, "-1..1": image / 127.5 - 1}
    return (ranges[pixels.range] - np.array(pixels.mean)) / np.array(pixels.std)


def decoded(
    kind: Kind,
    outputs: Mapping[str, Array],
    geometry: Geometry,
    decoding: Decoding,
    joints: Sequence[int] | None,
) -> tuple[Array, Array]:
    """Returns keypoints (K, D) in 0..1 of the square crop and scores (K,), of the outputs for one picture."""
    values = [np.asarray(outputs[name][0], np.float64) for name in kind.outputs]
    found = [_joint(kind, values, channel, geometry, decoding) for channel in joints or range(kind.channels)]
    keypoints = np.array([place for place, _ in found])
    scores = np.array([score for _, score in found])
    keypoints[:, 0] = (keypoints[:, 0] + geometry.left) / geometry.side
    keypoints[:, 1] = (keypoints[:, 1] + geometry.top) / geometry.side
    if decoding.scores == "logits":
        scores = 1 / (1 + np.exp(-scores))
    with np.errstate(invalid="ignore"):
        right = (scores >= 0) & ((keypoints >= 0) & (keypoints <= 1)).all(axis=1)
    return np.nan_to_num(keypoints, nan=0.0).clip(0, 1), np.where(right, scores.clip(max=1), 0)


def _joint(
    kind: Kind, values: Sequence[Array], channel: int, geometry: Geometry, decoding: Decoding
) -> tuple[list[float], float]:
    """Returns x and y in pixels of the network's input, z where there is one, and the score."""
    match kind:
        case Heatmaps():
            heatmap = values[0][..., channel] if kind.channels_last else values[0][channel]
            column, row = _place(heatmap, decoding.refine)
            x = _on_grid(column, kind.columns, geometry.columns, decoding.grid)
            return [x, _on_grid(row, kind.rows, geometry.rows, decoding.grid)], float(heatmap.max())
        case SimCC():
            x_bins, y_bins = values[0][channel], values[1][channel]
            x_ratio = decoding.split_ratio or kind.x_bins / geometry.columns
            y_ratio = decoding.split_ratio or kind.y_bins / geometry.rows
            score = float(min(x_bins.max(), y_bins.max()))
            return [float(x_bins.argmax()) / x_ratio, float(y_bins.argmax()) / y_ratio], score
        case Coordinates():
            return _of_numbers(kind, values, channel, geometry, decoding)


def _of_numbers(
    kind: Coordinates, values: Sequence[Array], channel: int, geometry: Geometry, decoding: Decoding
) -> tuple[list[float], float]:
    numbers = values[0].reshape(kind.channels, kind.numbers)[channel]
    in_pixels = decoding.unit == "pixels"
    x, y = (numbers[1], numbers[0]) if decoding.yx else (numbers[0], numbers[1])
    place = [x, y] if in_pixels else [x * geometry.columns, y * geometry.rows]
    if decoding.third == "z" and kind.numbers > 2:
        place.append(numbers[2] / (geometry.side if in_pixels else 1) + 0.5)
    column = score_column(kind, decoding)
    if kind.scores is not None:
        return place, float(values[1].reshape(kind.channels)[channel])
    return place, 1.0 if column is None else float(numbers[column])


def _place(heatmap: Array, refine: str) -> tuple[float, float]:
    """Returns column and row of a map's maximum."""
    rows, columns = heatmap.shape
    if refine == "soft":
        share = np.exp(heatmap - heatmap.max())
        share /= share.sum()
        return float((share.sum(axis=0) * np.arange(columns)).sum()), float((share.sum(axis=1) * np.arange(rows)).sum())
    row, column = (int(place) for place in np.unravel_index(heatmap.argmax(), heatmap.shape))
    return _between(heatmap[row], column, refine), _between(heatmap[:, column], row, refine)


def _between(line: Array, place: int, refine: str) -> float:
    if refine == "none" or not 0 < place < len(line) - 1:
        return place
    low, top, high = line[place - 1 : place + 2]
    if refine == "quarter":
        return place + 0.25 * float(np.sign(high - low))
    a, b, c = np.log(np.maximum([low, top, high], 1e-6))
    return place + float(np.clip((c - a) / (2 * max(2 * b - a - c, 1e-6)), -0.5, 0.5))


def _on_grid(place: float, size: int, pixels: int, way: str) -> float:
    if way == "udp":
        return place * (pixels - 1) / (size - 1)
    if way == "centre":
        return (place + 0.5) * pixels / size - 0.5
    return place * pixels / size
