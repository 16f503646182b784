"""Which outputs of a network are the keypoints, and of which kind they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.own.problem import CannotAdd
from service.vision.layouts import LAYOUTS

SMALLEST_MAP = 8  # pixels; a smaller last axis holds coordinates
Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


@dataclass(frozen=True)
class Heatmaps:
    """One map a joint, (B, K, rows, columns), or with the joints last."""

    output: str
    channels: int
    rows: int
    columns: int
    channels_last: bool = False

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.output,)

    def __str__(self) -> str:
        return f"heatmaps of {self.rows} x {self.columns} ({self.output})"


@dataclass(frozen=True)
class SimCC:
    """Two rows of bins a joint, (B, K, bins): one for x and one for y."""

    x: str
    y: str
    channels: int
    x_bins: int
    y_bins: int

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.x, self.y)

    def __str__(self) -> str:
        return f"SimCC of {self.x_bins} bins for x ({self.x}) and {self.y_bins} for y ({self.y})"


@dataclass(frozen=True)
class Coordinates:
    """Numbers of each joint, (B, K, 2 to 4) or the same without separate axes; scores may be another output."""

    output: str
    channels: int
    numbers: int
    scores: str | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.output,) if self.scores is None else (self.output, self.scores)

    def __str__(self) -> str:
        return f"coordinates, {self.numbers} numbers a joint ({self.output})"


Kind = Heatmaps | SimCC | Coordinates


@dataclass(frozen=True)
class Given:
    """What the user says of the outputs; nothing is needed where their shapes say it."""

    heatmaps: str | None = None
    simcc: tuple[str, str] | None = None
    coordinates: str | None = None
    scores: str | None = None


def recognised(shapes: Shapes, layout: str, joints: Sequence[int] | None, given: Given) -> Kind:
    """Returns which outputs are the keypoints.

    Args:
        shapes: Of all outputs, with a batch of 1.
        layout: Of the joints.
        joints: The channels that are its joints, in their order; None: all channels are.
        given: What the user says.

    Raises:
        CannotAdd: None fits, several do, or the number of joints is another one.
    """
    for name in (given.heatmaps, *(given.simcc or ()), given.coordinates, given.scores):
        if name is not None and name not in shapes:
            raise CannotAdd(f"the network has no output {name}. It has: {told(shapes)}")
    wanted = len(LAYOUTS[layout].joints)
    kinds = _candidates(shapes, None if joints is not None else wanted, given)
    if not kinds:
        raise CannotAdd(
            f"no output looks like heatmaps (B, K, rows, columns), SimCC (two of (B, K, bins)) or coordinates "
            f"(B, K, 2 to 4). The network has: {told(shapes)}. Export it up to its heatmaps or coordinates, "
            "without steps that choose people or change the batch"
        )
    fitting = [kind for kind in kinds if _fits(kind, wanted, joints)]
    if not fitting:
        raise CannotAdd(_wrong_number(kinds, layout, joints))
    if len(fitting) > 1:
        ways = "; ".join(f"{_option(kind)} for {kind}" for kind in fitting)
        raise CannotAdd(f"the network has {told(shapes)}. Several of them may be the keypoints; say which: {ways}")
    return fitting[0]


def told(shapes: Shapes) -> str:
    """Returns names and shapes of tensors as text."""
    return ", ".join(f"{name} ({', '.join(map(str, shape))})" for name, shape in shapes.items()) or "no output"


def _candidates(shapes: Shapes, wanted: int | None, given: Given) -> list[Kind]:
    if given.heatmaps is not None:
        return _heatmaps({given.heatmaps: shapes[given.heatmaps]}, wanted)
    if given.simcc is not None:
        return _simcc({name: shapes[name] for name in given.simcc})
    if given.coordinates is not None:
        return _coordinates({given.coordinates: shapes[given.coordinates]}, shapes, wanted, given)
    return [*_heatmaps(shapes, wanted), *_simcc(shapes), *_coordinates(shapes, shapes, wanted, given)]


def _heatmaps(shapes: Shapes, wanted: int | None) -> list[Kind]:
    found: list[Kind] = []
    for name, shape in shapes.items():
        if len(shape) != 4:
            continue
        _, first, second, third = shape
        channels_last = third == wanted != first and min(first, second) >= SMALLEST_MAP
        if channels_last:
            found.append(Heatmaps(name, third, first, second, channels_last=True))
        elif min(second, third) >= SMALLEST_MAP:
            found.append(Heatmaps(name, first, second, third))
    return found


def _simcc(shapes: Shapes) -> list[Kind]:
    rows = [(name, shape) for name, shape in shapes.items() if len(shape) == 3 and shape[2] >= SMALLEST_MAP]
    if len(rows) != 2 or rows[0][1][1] != rows[1][1][1]:
        return []
    (x, x_shape), (y, y_shape) = rows  # x first, as RTMPose has it
    return [SimCC(x, y, x_shape[1], x_shape[2], y_shape[2])]


def _coordinates(shapes: Shapes, every: Shapes, wanted: int | None, given: Given) -> list[Kind]:
    found: list[Kind] = []
    for name, shape in shapes.items():
        axes = [size for size in shape[1:] if size != 1] or [1]
        if len(axes) == 1 and wanted is not None and axes[0] in (2 * wanted, 3 * wanted, 4 * wanted):
            axes = [wanted, axes[0] // wanted]
        if len(axes) == 2 and axes[1] in (2, 3, 4):
            scores = given.scores or (_scores(every, axes[0], name) if axes[1] == 2 else None)
            found.append(Coordinates(name, axes[0], axes[1], scores))
    return found


def _scores(shapes: Shapes, channels: int, but: str) -> str | None:
    """Returns the one output that has a number for each joint; None where there is none, or several."""
    fitting = [name for name, shape in shapes.items() if name != but and [s for s in shape[1:] if s != 1] == [channels]]
    return fitting[0] if len(fitting) == 1 else None


def _fits(kind: Kind, wanted: int, joints: Sequence[int] | None) -> bool:
    return kind.channels == wanted if joints is None else len(joints) == wanted and max(joints) < kind.channels


def _option(kind: Kind) -> str:
    name = {Heatmaps: "--heatmaps", SimCC: "--simcc", Coordinates: "--coordinates"}[type(kind)]
    return f"{name} {' '.join(kind.outputs[:2] if isinstance(kind, SimCC) else kind.outputs[:1])}"


def _wrong_number(kinds: Sequence[Kind], layout: str, joints: Sequence[int] | None) -> str:
    wanted = len(LAYOUTS[layout].joints)
    found = "; ".join(f"{kind}: {kind.channels} joints" for kind in kinds)
    if joints is not None:
        return (
            f"--joints names {len(joints)} channels, up to {max(joints)}; {layout} has {wanted} joints. Found {found}"
        )
    counts = {kind.channels for kind in kinds}
    same = [name for name, one in LAYOUTS.items() if len(one.joints) in counts]
    others = f"Layouts with as many joints: {', '.join(same)}" if same else "No layout has as many joints"
    return (
        f"{layout} has {wanted} joints, the network has not. Found {found}. {others}. "
        f"--joints chooses channels and their order, such as 0-{wanted - 1}"
    )
