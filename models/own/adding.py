"""From an ONNX file to a model in Triton's repository, checked on the sample on the way."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from models.export import triton_config
from models.export.onnx_graph import forget_origins, store_as_fp16
from models.files.checksums import sha256_of
from models.files.folder_swap import put_in_place
from models.own import trial
from models.own.judgement import Landed
from models.own.network_file import Network, read
from models.own.options import RANGES, Decoding, Geometry, Pixels
from models.own.outputs import Coordinates, Given, Kind, recognised
from models.own.problem import CannotAdd
from models.own.reference import decoded
from models.own.sample import Sample
from models.own.wrapping import wrapped
from service.networks.tensors import IMAGE, KEYPOINT_SCORES, KEYPOINTS
from service.vision.crops import to_picture
from service.vision.layouts import LAYOUTS

LARGEST_SIDE = 2048  # of an input, in pixels: such crops still fit into memory
FP16_TOLERANCE = 0.01  # of the crop, that keypoints may move where weights are stored as fp16
DETECTOR = "person"  # in the repository
LARGEST_CHANNEL = 9999
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True)
class Wanted:
    """What the user says of a network.

    Attributes:
        name: That requests name the model by.
        layout: Of its joints.
        size: Rows and columns of its input; None: those of the file.
        fit: Of an input that is not square, see `Geometry`.
        pixels: How they are scaled.
        given: Which outputs are read.
        decoding: How they are read.
        joints: Channels that are the layout's joints; None: all, in their order.
        crop_scale: Side of the crop over the longer side of the person's box.
        depth_scale_mm: Depth of the crop, where coordinates have z.
        precision: That weights are stored in, fp32 or fp16.
        description: For callers.
        licence: Of the weights.
        replace: Whether a model of this name is replaced.
    """

    name: str
    layout: str
    size: tuple[int, int] | None = None
    fit: Literal["crop", "pad"] = "crop"
    pixels: Pixels = field(default_factory=Pixels)
    given: Given = field(default_factory=Given)
    decoding: Decoding = field(default_factory=Decoding)
    joints: tuple[int, ...] | None = None
    crop_scale: float = 1.25
    depth_scale_mm: float | None = None
    precision: str = "fp32"
    description: str = ""
    licence: str = "not stated"
    replace: bool = False

    @property
    def dims(self) -> int:
        return 2 if self.depth_scale_mm is None else 3


@dataclass(frozen=True)
class Added:
    """What was written, and what was found on the way."""

    folder: Path
    kind: Kind
    geometry: Geometry
    decoding: Decoding
    max_batch: int
    largest_difference_px: float
    landed: Landed
    doubts: tuple[str, ...]


def add(file: Path, repository: Path, wanted: Wanted, sample: Sample) -> Added:
    """Writes `<name>_frame` once all checks are passed; until then nothing.

    Raises:
        CannotAdd: The network cannot be added; the text says what to do.
        OSError: A file cannot be read or written.
    """
    _may_be_called(wanted, repository)
    network = read(file)
    geometry = Geometry(*_size(network, wanted.size), wanted.fit)
    _take_pixels(network, wanted.pixels)
    crops = sample.crops(wanted.crop_scale, geometry.side)
    raw = trial.Raw(network)
    outputs = [raw.run(crop, geometry, wanted.pixels) for crop in crops]
    shapes = {name: value.shape for name, value in outputs[0].items()}
    kind = recognised(shapes, wanted.layout, wanted.joints, wanted.given)
    _depth_goes_with_numbers(kind, wanted)
    decoding = trial.settled(wanted.decoding, kind, outputs)
    joints = len(LAYOUTS[wanted.layout].joints)
    model = wrapped(network, geometry, wanted.pixels, kind, decoding, wanted.joints, (joints, wanted.dims))
    forget_origins(model)
    model, max_batch = trial.largest_batch(model, crops, triton_config.MAX_BATCH)
    difference = trial.compare(model, network, crops, geometry, wanted.pixels, kind, decoding, wanted.joints)
    found = trial.session_outputs(model, crops[:1])
    if wanted.precision == "fp16":
        store_as_fp16(model)
        _stays(found[KEYPOINTS], trial.session_outputs(model, crops[:1])[KEYPOINTS])
    landed = _landed(found[KEYPOINTS][0], found[KEYPOINT_SCORES][0], wanted, sample)
    doubts = [*landed.doubts(sample)]
    if sample.joints and landed.hits(sample)[0] * 2 < landed.hits(sample)[1]:
        doubts += _other_pixels(raw, crops[0], geometry, kind, wanted, decoding, sample)
    folder = _write(model, repository, wanted, geometry, max_batch, _card(file, kind, geometry, wanted, joints))
    return Added(folder, kind, geometry, decoding, max_batch, difference, landed, tuple(doubts))


def _may_be_called(wanted: Wanted, repository: Path) -> None:
    if not MODEL_NAME.fullmatch(wanted.name):
        raise CannotAdd(f"a model cannot be named {wanted.name!r}: use letters, digits, dots, - and _")
    if wanted.name == DETECTOR:
        raise CannotAdd(f"{DETECTOR} is the detector; choose another --name")
    if (repository / f"{wanted.name}_frame").exists() and not wanted.replace:
        raise CannotAdd(f"{repository} has a model {wanted.name} already; choose another --name, or give --replace")


def _size(network: Network, size: tuple[int, int] | None) -> tuple[int, int]:
    found = network.rows, network.columns
    if size is None and None in found:
        raise CannotAdd("the network takes pictures of any size; give that which it was trained with: --size 256x192")
    rows, columns = ((size[i] if size else None) if found[i] is None else found[i] for i in range(2))
    assert rows is not None
    assert columns is not None
    if size not in (None, (rows, columns)):
        raise CannotAdd(f"--size is {size[0]}x{size[1]}, the network's input {rows}x{columns} (rows x columns)")
    if max(rows, columns) > LARGEST_SIDE:
        raise CannotAdd(f"an input has at most {LARGEST_SIDE} pixels a side, not {rows} x {columns}")
    return rows, columns


def _take_pixels(network: Network, pixels: Pixels) -> None:
    if network.element == TensorProto.INT8 and pixels.factor_and_shift() != ((1.0,) * 3, (-128.0,) * 3):
        raise CannotAdd(
            "the input takes whole numbers from -128 to 127, which pixels become "
            "with --range 0..255 --mean 128,128,128 --std 1,1,1"
        )


def _depth_goes_with_numbers(kind: Kind, wanted: Wanted) -> None:
    has_z = isinstance(kind, Coordinates) and kind.numbers > 2 and wanted.decoding.third == "z"
    if has_z and wanted.depth_scale_mm is None:
        raise CannotAdd("coordinates with z need --depth-scale-mm: how many mm the crop is deep")
    if wanted.depth_scale_mm is not None and not has_z:
        raise CannotAdd("--depth-scale-mm is for coordinates whose third number is z: --third z")


def _landed(keypoints: NDArray[np.floating], scores: NDArray[np.floating], wanted: Wanted, sample: Sample) -> Landed:
    places = to_picture(keypoints[:, :2].astype(np.float32), sample.window(wanted.crop_scale))
    return Landed(LAYOUTS[wanted.layout].joints, places, scores)


def _other_pixels(
    raw: trial.Raw,
    crop: NDArray[np.uint8],
    geometry: Geometry,
    kind: Kind,
    wanted: Wanted,
    decoding: Decoding,
    sample: Sample,
) -> Iterator[str]:
    """Yields which other scaling of the pixels finds the person better, if one does, and what was found at all."""

    def hits(pixels: Pixels) -> int:
        try:
            outputs = raw.run(crop, geometry, pixels)
        except CannotAdd:  # not all of them are numbers
            return 0
        return _landed(*decoded(kind, outputs, geometry, decoding, wanted.joints), wanted, sample).hits(sample)[0]

    ways = {}
    for bgr in (False, True):
        for range_ in RANGES:
            option = f"--range {range_}" + (" --bgr" if bgr else "")
            ways[option] = Pixels.of(range_, None, None, bgr)
            ways[f"{option} --mean 0,0,0 --std 1,1,1"] = Pixels(range_, (0.0,) * 3, (1.0,) * 3, bgr)
    found = {option: hits(pixels) for option, pixels in ways.items()}
    best = max(found, key=lambda option: found[option])
    now, known = hits(wanted.pixels), len([name for name in LAYOUTS[wanted.layout].joints if name in sample.joints])
    yield f"only {now} of {known} joints are where the person in the sample has them"
    if found[best] > now and found[best] * 2 >= known:
        yield f"with {best} there would be {found[best]}"


def _stays(exact: NDArray[np.floating], stored: NDArray[np.floating]) -> None:
    moved = float(np.abs(exact - stored).max())
    if not moved <= FP16_TOLERANCE:
        raise CannotAdd(f"with weights stored as fp16 keypoints move by {moved:.1%} of the crop; use --precision fp32")


def _card(file: Path, kind: Kind, geometry: Geometry, wanted: Wanted, joints: int) -> dict[str, object]:
    description = wanted.description or f"own network {file.name}: {joints} joints, {type(kind).__name__.lower()}"
    card: dict[str, object] = {
        "model": wanted.name,
        "description": description,
        "layout": wanted.layout,
        "dims": wanted.dims,
        "crop": {"size": geometry.side, "margin": wanted.crop_scale},
        "weights": f"{file.name}, sha256 {sha256_of(file)}",
        "licence": wanted.licence,
        "precision": f"weights stored as {wanted.precision}, computed as the server decides",
    }
    if wanted.depth_scale_mm is not None:
        card["depth_scale_mm"] = wanted.depth_scale_mm
    return card


def _write(
    model: onnx.ModelProto,
    repository: Path,
    wanted: Wanted,
    geometry: Geometry,
    max_batch: int,
    card: dict[str, object],
) -> Path:
    onnx.checker.check_model(model, full_check=True)
    repository.mkdir(parents=True, exist_ok=True)
    name, side, joints = f"{wanted.name}_frame", geometry.side, len(LAYOUTS[wanted.layout].joints)
    # In the repository itself: a rename does not leave its file system. Hidden folders are not read by the service.
    with tempfile.TemporaryDirectory(dir=repository, prefix=".deephar-add-") as stage:
        folder = Path(stage) / name
        file = folder / "1" / "model.onnx"
        file.parent.mkdir(parents=True)
        onnx.save(model, file)
        outputs: dict[str, triton_config.Tensor] = {
            KEYPOINTS: ("FP32", (joints, wanted.dims)),
            KEYPOINT_SCORES: ("FP32", (joints,)),
        }
        whole = card | {"weights_sha256": sha256_of(file)}
        triton_config.write(folder, {IMAGE: ("UINT8", (side, side, 3))}, outputs, max_batch, whole)
        put_in_place(folder, repository / name)
    shutil.rmtree(repository / f"{wanted.name}_clip", ignore_errors=True)  # of the model that was replaced
    return repository / name


def chosen(text: str) -> tuple[int, ...]:
    """Returns the channels that a text such as 0-4,7,6 names.

    Raises:
        ValueError: It names none.
    """
    channels: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        named = range(int(first), int(last or first) + 1)
        if not named or named[-1] > LARGEST_CHANNEL:
            raise ValueError
        channels += named
    return tuple(channels)
