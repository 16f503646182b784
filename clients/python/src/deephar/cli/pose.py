"""`deephar pose`: the people in pictures, as a table, JSON lines, a format of other programs, or drawn."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deephar.cli.connection import Connection, with_connection
from deephar.cli.exits import EachInput
from deephar.cli.inputs import content_of, name_of
from deephar.cli.options import BOX, CAMERA, FormatOption, camera_of, with_format, with_model
from deephar.cli.output import print_json, print_table, progress
from deephar.cli.pictures import check_can_draw, draw_into
from deephar.cli.targets import PICTURES, targets_of
from deephar.cli.written import layout_for, print_poses

if TYPE_CHECKING:
    from deephar.results import Keypoint, Person, PoseAnswer

Answered = tuple[str, "PoseAnswer"]  # the input and its answer


@click.command(
    epilog="""\b
Examples:
  deephar pose photo.jpg
  deephar pose photo.jpg -o drawn.jpg
  deephar pose *.jpg -o drawn/ --json > people.jsonl
  cat photo.jpg | deephar pose -
"""
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...|-", type=click.Path(allow_dash=True))
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="PATH", help="Draws into this file or folder.")
@with_format
@click.option("--box", "boxes", type=BOX, multiple=True, help="A person's, in pixels; repeatable.")
@click.option("--camera", type=CAMERA, help="In pixels, and the pelvis' distance in mm; adds positions in space.")
@click.option("--max-people", type=click.IntRange(min=0), default=0, metavar="N", help="Largest number, without boxes.")
@click.option("--min-score", type=click.FloatRange(0, 1), metavar="SCORE", help="Lowest score of a person, 0 to 1.")
@click.option("--flip", is_flag=True, help="Average with the mirrored picture: better, twice the work.")
@with_model
@with_connection
def pose(
    connection: Connection,
    files: tuple[str, ...],
    output: Path | None,
    form: FormatOption,
    camera: tuple[float, ...] | None,
    **options: Any,
) -> int:
    """Finds the people in pictures, and their keypoints.

    FILE is a JPEG, PNG, WebP, BMP, HEIC or AVIF; - reads one from stdin.
    """
    if form not in (None, "json"):
        options["layout"] = layout_for(form, options["layout"], has_ids=False)
    if output:
        check_can_draw()
    targets = targets_of(output, files, PICTURES, "pose") if output else {}
    with connection.client() as client:

        def ask(source: str) -> PoseAnswer:
            content = content_of(source)
            answer = client.pose(content, camera=camera_of(camera), **options)
            if source in targets:
                draw_into(targets[source], content, answer)
                click.echo(f"drawn: {targets[source]}", err=True)
            return answer

        is_long = len(files) > 1 and not sys.stdout.isatty()
        asked = EachInput(progress(files, len(files), "pictures") if is_long else files, ask, name_of)
        _print(iter(asked), form, len(files) > 1)
    return asked.exit_code


def _print(answers: Iterator[Answered], form: FormatOption, several: bool) -> None:
    if form == "json":
        for source, answer in answers:
            print_json({"file": name_of(source), **answer.to_dict()})
    elif form:
        _print_format(answers, form)
    else:
        for number, (source, answer) in enumerate(answers):
            if number:
                click.echo()
            if several:
                click.echo(f"{name_of(source)}:")
            _print_people(answer)


def _print_format(answers: Iterator[Answered], form: str) -> None:
    from deephar.formats import Poses

    first = next(answers, None)
    if first is None:
        return
    poses = (
        Poses.of_picture(answer.to_dict(), name_of(source), number)
        for number, (source, answer) in enumerate(chain([first], answers))
    )
    print_poses(form, poses, first[1].layout)


def _print_people(answer: PoseAnswer) -> None:
    people = f"{len(answer.people)} {'person' if len(answer.people) == 1 else 'people'}"
    click.echo(f"{people}, {answer.image.width} x {answer.image.height} pixels, {answer.model} ({answer.effort})")
    for number, person in enumerate(answer.people, 1):
        box = person.box
        place = f"{box.x:.0f},{box.y:.0f},{box.width:.0f},{box.height:.0f}"
        click.echo(f"\nperson {number}: score {person.score:.2f}, box {place}")
        _print_keypoints(person)


def _print_keypoints(person: Person) -> None:
    has_depth = any(point.z is not None for point in person.keypoints)
    has_place = any(point.position_mm is not None for point in person.keypoints)
    depth, place = ("z mm",) * has_depth, ("X mm", "Y mm", "Z mm") * has_place
    headers = ("keypoint", "x", "y", *depth, "score", *place)
    rows = [tuple(_row(point, has_depth, has_place)) for point in person.keypoints]
    print_table(rows, headers, "<" + ">" * (len(headers) - 1))


def _row(point: Keypoint, has_depth: bool, has_place: bool) -> Iterator[str]:
    yield from (point.name, _number(point.x), _number(point.y))
    if has_depth:
        yield _number(point.z)
    yield f"{point.score:.2f}"
    if has_place:
        yield from (_number(place) for place in point.position_mm or (None,) * 3)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
