"""Post-processing as nodes of the graph: outputs of a network to keypoints in 0..1 of the square crop, and scores."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import TensorProto

from models.own.nodes import Nodes
from models.own.options import Decoding, Geometry
from models.own.outputs import Coordinates, Heatmaps, Kind, SimCC

SMALLEST = 1e-6  # value of a heatmap whose logarithm is taken


class Decoder:
    """Writes the nodes of one network's post-processing.

    Args:
        nodes: Where they are written.
        geometry: Of the crop and the input.
        decoding: How outputs are read, with nothing left to `auto`.
        joints: Channels that are the layout's joints; None: all, in their order.
    """

    def __init__(self, nodes: Nodes, geometry: Geometry, decoding: Decoding, joints: Sequence[int] | None) -> None:
        self._nodes, self._geometry, self._decoding, self._joints = nodes, geometry, decoding, joints

    def decode(self, kind: Kind, outputs: Sequence[str]) -> tuple[str, str]:
        """Returns the tensors of keypoints (B, K, 2 or 3) and of scores (B, K).

        Args:
            kind: Of the outputs.
            outputs: Their tensors, in the order of `kind.outputs`.
        """
        floats = [self._nodes.op("Cast", name, to=TensorProto.FLOAT) for name in outputs]
        match kind:
            case Heatmaps():
                x, y, scores = self._heatmaps(kind, floats[0])
                depth = None
            case SimCC():
                x, y, scores = self._simcc(kind, floats[0], floats[1])
                depth = None
            case Coordinates():
                x, y, depth, scores = self._coordinates(kind, floats)
        if self._decoding.scores == "logits":
            scores = self._nodes.op("Sigmoid", scores)
        return self._checked([x, y] if depth is None else [x, y, depth], scores)

    def _chosen(self, tensor: str) -> str:
        return (
            tensor
            if self._joints is None
            else self._nodes.op("Gather", tensor, self._nodes.integers(*self._joints), axis=1)
        )

    def _heatmaps(self, kind: Heatmaps, maps: str) -> tuple[str, str, str]:
        n = self._nodes
        if kind.channels_last:
            maps = n.op("Transpose", maps, perm=[0, 3, 1, 2])
        maps = self._chosen(maps)
        flat = n.op("Reshape", maps, n.integers(0, 0, kind.rows * kind.columns))
        best = n.op("ArgMax", flat, axis=2, keepdims=1)  # (B, K, 1)
        top = n.op("GatherElements", flat, best, axis=2)
        if self._decoding.refine == "soft":
            share = n.op("Reshape", n.op("Softmax", flat, axis=2), n.integers(0, 0, kind.rows, kind.columns))
            column = self._middle(share, kind.columns, sum_first=2)
            row = self._middle(share, kind.rows, sum_first=3)
        else:
            rows = n.op("Div", best, n.integers(kind.columns))
            columns = n.op("Sub", best, n.op("Mul", rows, n.integers(kind.columns)))
            column = self._refined(flat, best, top, columns, kind.columns, 1)
            row = self._refined(flat, best, top, rows, kind.rows, kind.columns)
        geometry = self._geometry
        x = self._to_crop(*self._grid(kind.columns, geometry.columns), geometry.left, column)
        return x, self._to_crop(*self._grid(kind.rows, geometry.rows), geometry.top, row), top

    def _middle(self, share: str, size: int, sum_first: int) -> str:
        """Returns the expected place along the axis that is left when the other is summed up."""
        n = self._nodes
        along = n.op("ReduceSum", share, n.integers(sum_first), keepdims=0)
        return n.op("ReduceSum", n.op("Mul", along, n.floats(*range(size))), n.integers(2), keepdims=1)

    def _refined(self, flat: str, best: str, top: str, place: str, size: int, step: int) -> str:
        """Returns the place of a maximum along one axis, between pixels by its two neighbours, (B, K, 1)."""
        n, refine = self._nodes, self._decoding.refine
        whole = n.op("Cast", place, to=TensorProto.FLOAT)
        if refine == "none":
            return whole
        # Beyond the edge the maximum itself is its neighbour.
        before = n.op("Greater", place, n.integers(0))
        after = n.op("Less", place, n.integers(size - 1))
        here = n.integers(0)
        less = n.op("Sub", best, n.op("Where", before, n.integers(step), here))
        more = n.op("Add", best, n.op("Where", after, n.integers(step), here))
        low, high = (n.op("GatherElements", flat, index, axis=2) for index in (less, more))
        if refine == "quarter":
            offset = n.op("Mul", n.op("Sign", n.op("Sub", high, low)), n.number(0.25))
        else:
            offset = self._of_parabola(low, top, high)
        inside = n.op("And", before, after)
        return n.op("Add", whole, n.op("Where", inside, offset, n.number(0.0)))

    def _of_parabola(self, low: str, top: str, high: str) -> str:
        """Returns the summit of the parabola through three logarithms: that of a Gaussian is exact."""
        n = self._nodes
        a, b, c = (n.op("Log", n.op("Max", value, n.number(SMALLEST))) for value in (low, top, high))
        bend = n.op("Sub", n.op("Mul", b, n.number(2.0)), n.op("Add", a, c))  # 0 or more
        offset = n.op("Div", n.op("Sub", c, a), n.op("Mul", n.op("Max", bend, n.number(SMALLEST)), n.number(2.0)))
        return n.op("Max", n.op("Min", offset, n.number(0.5)), n.number(-0.5))

    def _grid(self, size: int, pixels: int) -> tuple[float, float]:
        return grid(self._decoding.grid, size, pixels)

    def _to_crop(self, factor: float, shift: float, first: int, place: str) -> str:
        """Returns a place along one axis of an output as a share of the square crop."""
        side = self._geometry.side
        return self._nodes.scaled(place, factor / side, (shift + first) / side)

    def _simcc(self, kind: SimCC, x: str, y: str) -> tuple[str, str, str]:
        n, geometry = self._nodes, self._geometry
        places, tops = [], []
        for bins, count, pixels, first in (
            (x, kind.x_bins, geometry.columns, geometry.left),
            (y, kind.y_bins, geometry.rows, geometry.top),
        ):
            rows = self._chosen(bins)
            best = n.op("ArgMax", rows, axis=2, keepdims=1)
            tops.append(n.op("GatherElements", rows, best, axis=2))
            ratio = self._decoding.split_ratio or count / pixels
            places.append(self._to_crop(1 / ratio, 0.0, first, n.op("Cast", best, to=TensorProto.FLOAT)))
        return places[0], places[1], n.op("Min", *tops)

    def _coordinates(self, kind: Coordinates, tensors: Sequence[str]) -> tuple[str, str, str | None, str]:
        n, geometry, decoding = self._nodes, self._geometry, self._decoding
        values = self._chosen(n.op("Reshape", tensors[0], n.integers(0, kind.channels, kind.numbers)))
        columns = [n.op("Slice", values, n.integers(i), n.integers(i + 1), n.integers(2)) for i in range(kind.numbers)]
        x, y = (columns[1], columns[0]) if decoding.yx else (columns[0], columns[1])
        pixels = decoding.unit == "pixels"
        x = self._to_crop(1.0 if pixels else geometry.columns, 0.0, geometry.left, x)
        y = self._to_crop(1.0 if pixels else geometry.rows, 0.0, geometry.top, y)
        depth = None
        if decoding.third == "z" and kind.numbers > 2:
            depth = n.scaled(columns[2], 1 / geometry.side if pixels else 1.0, 0.5)
        if kind.scores is not None:
            scores = self._chosen(n.op("Reshape", tensors[1], n.integers(0, kind.channels, 1)))
        elif (place := score_column(kind, decoding)) is not None:
            scores = columns[place]
        else:
            scores = n.scaled(x, 0.0, 1.0)
        return x, y, depth, scores

    def _checked(self, places: Sequence[str], scores: str) -> tuple[str, str]:
        """Returns both outputs; a joint that is no number, or lies outside of the crop, has score 0."""
        n = self._nodes
        zero, one = n.number(0.0), n.number(1.0)
        right = n.op("GreaterOrEqual", scores, zero)  # not so for NaN
        kept = []
        for place in places:
            is_number = n.op("GreaterOrEqual", place, zero)
            right = n.op("And", right, n.op("And", is_number, n.op("LessOrEqual", place, one)))
            kept.append(n.op("Where", is_number, n.op("Min", place, one), zero))
        score = n.op("Where", right, n.op("Min", scores, one), zero)
        return n.op("Concat", *kept, axis=2), n.op("Squeeze", score, n.integers(2))


def grid(way: str, size: int, pixels: int) -> tuple[float, float]:
    """Returns factor and shift from places in a map of this size to pixels of the input."""
    if way == "udp":
        return (pixels - 1) / (size - 1), 0.0
    ratio = pixels / size
    return ratio, ratio / 2 - 0.5 if way == "centre" else 0.0


def score_column(kind: Coordinates, decoding: Decoding) -> int | None:
    """Returns which of a joint's numbers is its score; None where there is none."""
    if kind.scores is not None or kind.numbers == 2:
        return None
    if kind.numbers == 4:
        return 3
    return 2 if decoding.third == "score" else None
