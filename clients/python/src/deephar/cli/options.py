"""Options that several commands have, and the forms of their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from deephar import Camera

EFFORTS = ("fast", "balanced", "best")

COUNT = click.IntRange(min=0)
Command = TypeVar("Command", bound=Callable[..., Any])


class Numbers(click.ParamType[tuple[float, ...]]):
    """Numbers with commas between them.

    Args:
        names: Of each, as the help shows them.
        example: For who writes something else.
    """

    name = "numbers"

    def __init__(self, names: str, example: str) -> None:
        self._names, self._example = names, example

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        return self._names

    def convert(
        self, value: str | tuple[float, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Returns the numbers."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(float(number) for number in value.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != len(self._names.split(",")):
            self.fail(f"{value!r} is not {self._names}; write, for example, {self._example}", param, ctx)
        return numbers


BOX = Numbers("X,Y,W,H", "225,70,190,345")
CAMERA = Numbers("FX,FY,CX,CY,DEPTH", "1145,1145,320,240,4000")


FormatOption = str | None  # "json", a name of `deephar.formats.FORMATS`, or None: a table
FORMATS = ("json", "coco", "openpose", "csv", "mot", "trc")


def with_format(command: Command) -> Command:
    """Decorates a command with the form of its output, its argument `form`."""
    options = (
        click.option("--json", "form", flag_value="json", help="One line of JSON for each input."),
        click.option("--csv", "form", flag_value="csv", help="A row for each person."),
        click.option("--coco", "form", flag_value="coco", help="COCO keypoints, as pycocotools reads them."),
        click.option("--format", "form", type=click.Choice(FORMATS), help="Any of these forms."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def camera_of(numbers: tuple[float, ...] | None) -> Camera | None:
    """Returns the camera that an option describes."""
    if numbers is None:
        return None
    from deephar import Camera

    fx, fy, cx, cy, depth_mm = numbers
    return Camera(fx=fx, fy=fy, cx=cx, cy=cy, root_depth_mm=[depth_mm])


def with_model(command: Command) -> Command:
    """Decorates a command with what chooses the model."""
    model = click.option("--model", default="", metavar="NAME", help="Absent: the service's default.")
    effort = click.option("--effort", type=click.Choice(EFFORTS), help="Which of the models of one kind answers.")
    layout = click.option(
        "--layout", default="", metavar="NAME", help="Of the joints: pa16, coco17, ...  Absent: the model's own."
    )
    return model(effort(layout(command)))


def with_people(command: Command) -> Command:
    """Decorates a command with who is followed in a video, and what is said of them."""
    options = (
        click.option("--all", "people", flag_value="all", default="main", help="All people, not only the main one."),
        click.option("--box", type=BOX, help="Where the person is in the first frame, in pixels."),
        click.option("--max-people", type=COUNT, default=0, metavar="N", help="With --all: largest number."),
        click.option("--top-k", type=COUNT, default=0, metavar="N", help="How many actions to name."),
        click.option("--hop", type=COUNT, default=0, metavar="N", help="Sampled frames between two windows."),
        click.option(
            "--smooth/--no-smooth", default=True, help="Keypoints that do not jitter (the default), or as found."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command
