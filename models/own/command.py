"""`deephar-models add FILE`: an ONNX pose network of somebody else as a model that the service serves."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import click

from models.failure import failed
from models.files.folders import repository_folder
from models.own.adding import Added, Wanted, add, chosen
from models.own.options import GRIDS, RANGES, REFINEMENTS, Decoding, Pixels
from models.own.outputs import Given
from models.own.problem import CannotAdd
from models.own.sample import Sample, sample
from service.vision.boxes import Box
from service.vision.layouts import LAYOUTS

T = TypeVar("T")
PASSED_ON = (
    "name", "layout", "size", "fit", "joints", "crop_scale", "depth_scale_mm", "precision", "description", "licence",
    "replace",
)  # fmt: skip


def parsed(what: str, read: Callable[[str], T]) -> Callable[[click.Context, click.Parameter, str | None], T | None]:
    """Returns an option's callback that reads its text; what cannot be read is a matter of usage."""

    def callback(_: click.Context, parameter: click.Parameter, text: str | None) -> T | None:  # noqa: ARG001
        try:
            return None if text is None else read(text)
        except ValueError:
            raise click.BadParameter(f"{what} is wanted, not {text!r}") from None

    return callback


def _size(text: str) -> tuple[int, int]:
    rows, _, columns = text.lower().partition("x")
    size = int(rows), int(columns or rows)
    if min(size) < 1:
        raise ValueError
    return size


def _numbers(count: int, sizes_from: int) -> Callable[[str], tuple[float, ...]]:
    """Returns a reader of so many numbers, of which those from one on are more than 0."""

    def read(text: str) -> tuple[float, ...]:
        numbers = tuple(float(number) for number in text.split(","))
        if len(numbers) != count or not all(map(isfinite, numbers)) or min(numbers[sizes_from:], default=1) <= 0:
            raise ValueError
        return numbers

    return read


MEAN = parsed("three numbers, such as 0.485,0.456,0.406,", _numbers(3, 3))
STD = parsed("three numbers over 0, such as 0.229,0.224,0.225,", _numbers(3, 0))
BOX = parsed("four numbers, X,Y,WIDTH,HEIGHT,", _numbers(4, 2))


class FiniteRange(click.FloatRange):
    """A range without NaN, which click takes for a number in any."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not isfinite(number):
            self.fail(f"{value} is no number.", param, ctx)
        return number


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE.onnx")
@click.option("--name", required=True, help="That requests name the model by.")
@click.option("--layout", type=click.Choice(list(LAYOUTS)), required=True, help="Names and order of the joints.")
@click.option(
    "--size",
    callback=parsed("256 or 256x192 (rows x columns)", _size),
    metavar="ROWS[xCOLUMNS]",
    help="Of the network's input, where the file leaves it open.",
)
@click.option(
    "--fit",
    type=click.Choice(["crop", "pad"]),
    default="crop",
    show_default=True,
    help="An input that is not square takes the middle of the square crop, or all of it with black bars beside.",
)
@click.option(
    "--crop-scale",
    type=FiniteRange(min=0.5, max=5),
    default=1.25,
    show_default=True,
    help="Side of the crop over the longer side of the person's box.",
)
@click.option("--range", "range_", type=click.Choice(RANGES), default="0..1", show_default=True, help="Of the pixels.")
@click.option("--mean", callback=MEAN, metavar="A,B,C", help="Subtracted then, by channel.  [default: ImageNet's]")
@click.option("--std", callback=STD, metavar="A,B,C", help="Divided by then, by channel.  [default: ImageNet's]")
@click.option("--bgr", is_flag=True, help="The channels are blue, green, red.")
@click.option("--heatmaps", metavar="NAME", help="Output with a map for each joint.")
@click.option("--simcc", nargs=2, metavar="X Y", help="Outputs with bins for x and for y of each joint.")
@click.option("--coordinates", metavar="NAME", help="Output with numbers for each joint.")
@click.option("--scores", metavar="NAME", help="Output with a score for each joint, beside coordinates.")
@click.option(
    "--joints",
    callback=parsed("channels, such as 0-16 or 3,1,2,", chosen),
    metavar="CHANNELS",
    help="Which channels are the layout's joints, in its order, such as 0-16.  [default: all]",
)
@click.option(
    "--refine",
    type=click.Choice(REFINEMENTS),
    default="quarter",
    show_default=True,
    help="Of a heatmap's maximum between pixels.",
)
@click.option(
    "--grid",
    type=click.Choice(GRIDS),
    default="start",
    show_default=True,
    help="Where a heatmap's pixels lie: x * stride; the middle of stride pixels; corner to corner (UDP).",
)
@click.option("--split-ratio", type=FiniteRange(min=0, min_open=True), help="SimCC's bins for a pixel.")
@click.option(
    "--score-type",
    type=click.Choice(["auto", "probability", "logits"]),
    default="auto",
    show_default=True,
    help="Of the scores, or the heatmaps' maxima; auto: by their values on the sample.",
)
@click.option(
    "--unit",
    type=click.Choice(["auto", "pixels", "unit"]),
    default="auto",
    show_default=True,
    help="Of coordinates: pixels of the input, or 0 to 1 of it.",
)
@click.option("--yx", is_flag=True, help="Coordinates begin with y.")
@click.option(
    "--third",
    type=click.Choice(["score", "z", "none"]),
    default="score",
    show_default=True,
    help="Third number of coordinates.",
)
@click.option("--depth-scale-mm", type=FiniteRange(min=0, min_open=True), help="Depth of the crop, with z.")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16"]),
    default="fp32",
    show_default=True,
    help="Of the stored weights; fp16 halves the file.",
)
@click.option("--description", default="", help="For those who choose a model.")
@click.option("--licence", default="not stated", show_default=True, help="Of the weights.")
@click.option(
    "--repository",
    type=click.Path(path_type=Path),
    default=repository_folder,
    show_default="the service's",
    help="Where the model goes.",
)
@click.option("--replace", is_flag=True, help="Replace a model of this name.")
@click.option(
    "--picture",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="To check on, of one person.  [default: samples/person.jpg]",
)
@click.option("--box", callback=BOX, metavar="X,Y,WIDTH,HEIGHT", help="Of the person in --picture, in pixels.")
def command(file: Path, repository: Path, picture: Path | None, box: tuple[float, ...] | None, **options: Any) -> int:
    """Take an ONNX pose network of your own into the model repository.

    It takes a picture of one person and answers heatmaps, SimCC or coordinates; what turns these into keypoints becomes
    part of the network. It is checked on a picture, and nothing is written where a check fails.
    """
    try:
        seen = _sample(picture, box)
        added = add(file, repository, wanted(options), seen)
    except CannotAdd as error:
        return failed(str(error))
    except OSError as error:
        return failed(f"{error.filename or repository}: {error.strerror}" if error.strerror else str(error))
    print(report(added, seen, options["name"]))
    for doubt in added.doubts:
        print(f"warning: {doubt}", file=sys.stderr)
    return 0


def wanted(options: Mapping[str, Any]) -> Wanted:
    """Returns what the options of the command say."""
    pixels = Pixels.of(options["range_"], options["mean"], options["std"], options["bgr"])
    given = Given(options["heatmaps"], options["simcc"] or None, options["coordinates"], options["scores"])
    decoding = Decoding(
        refine=options["refine"],
        grid=options["grid"],
        scores=options["score_type"],
        unit=options["unit"],
        third=options["third"],
        yx=options["yx"],
        split_ratio=options["split_ratio"],
    )
    as_they_are = {name: options[name] for name in PASSED_ON}
    return Wanted(pixels=pixels, given=given, decoding=decoding, **as_they_are)


def report(added: Added, seen: Sample, name: str) -> str:
    """Returns what was found and written, as text."""
    geometry, decoding = added.geometry, added.decoding
    batch = f"batches of up to {added.max_batch}" if added.max_batch > 1 else "one crop at a time: its batch is fixed"
    read = f"scores as {decoding.scores}" + (f", coordinates in {decoding.unit}" if decoding.unit != "auto" else "")
    hits, known = added.landed.hits(seen)
    lines = [
        f"{name}: {added.kind}; {read}",
        f"input {geometry.rows} x {geometry.columns} of a crop of {geometry.side} x {geometry.side}, {batch}",
        f"same as the reference to {added.largest_difference_px:.1g} pixels",
        "",
        added.landed.table(seen),
        "",
    ]
    if known:
        lines += [f"{hits} of {known} joints are where the drawn person in the sample has them"]
    return "\n".join(
        [*lines, f"{added.folder} is written. A service that runs on this repository takes it up by itself."]
    )


def _sample(picture: Path | None, box: tuple[float, ...] | None) -> Sample:
    if box is not None and picture is None:
        raise click.UsageError("--box goes with --picture")
    return sample(picture, None if box is None else Box(*box))
