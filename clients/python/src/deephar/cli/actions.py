"""`deephar actions`: the actions in videos, as tables, JSON lines, a format of other programs, or drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deephar.cli.connection import Connection, with_connection
from deephar.cli.exits import EachInput
from deephar.cli.inputs import as_file, name_of
from deephar.cli.options import FormatOption, with_format, with_model, with_people
from deephar.cli.output import print_json, print_table
from deephar.cli.targets import VIDEOS, targets_of
from deephar.cli.video_files import answer_of, draw_into, print_frames
from deephar.cli.written import layout_for

if TYPE_CHECKING:
    from deephar.results import ActionsAnswer, PersonActions


@click.command(
    epilog="""\b
Examples:
  deephar actions video.mp4
  deephar actions video.mp4 -o drawn.mp4
  deephar actions --all *.mp4 --json > actions.jsonl
  deephar actions --all video.mp4 --format mot > tracks.txt
"""
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...|-", type=click.Path(allow_dash=True))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="PATH", help="Draws into this .mp4 file or folder."
)
@with_format
@with_people
@with_model
@with_connection
def actions(
    connection: Connection, files: tuple[str, ...], output: Path | None, form: FormatOption, **options: Any
) -> int:
    """Finds the actions in videos, and when they are done.

    FILE is an MP4, WebM, MOV, AVI, MKV, ...; - reads one from stdin. With -o the video is drawn, and its actions are
    printed only with --json.
    """
    if form not in (None, "json") and len(files) > 1:
        raise click.UsageError(f"{form} is a document of one video; name one, or take --json")
    if form not in (None, "json"):
        options["layout"] = layout_for(form, options["layout"], has_ids=True)
    targets = targets_of(output, files, VIDEOS, "actions") if output else {}
    with connection.client() as client:

        def ask(source: str) -> ActionsAnswer | None:
            with as_file(source) as video:
                if source in targets:
                    draw_into(targets[source], client, connection, video, options)
                    click.echo(f"drawn: {targets[source]}", err=True)
                if form not in (None, "json"):
                    print_frames(form, client, connection, video, options)
                elif form == "json" or not targets:
                    return answer_of(client, connection, video, options)
            return None

        asked = EachInput(files, ask, name_of)
        _print_answers(iter(asked), form == "json", len(files) > 1, options["people"] == "all")
    return asked.exit_code


def _print_answers(
    answers: Iterator[tuple[str, ActionsAnswer | None]], as_json: bool, has_names: bool, has_ids: bool
) -> None:
    for number, (source, answer) in enumerate(answers):
        if answer is None:
            continue
        if as_json:
            print_json({"file": name_of(source), **answer.to_dict()})
            continue
        click.echo("\n" * bool(number) + f"{name_of(source)}:\n" * has_names, nl=False)
        _print_answer(answer, has_ids)


def _print_answer(answer: ActionsAnswer, several: bool) -> None:
    people = answer.people if several else answer.people[:1]
    if not people:
        click.echo(f"no action: {answer.reason or 'nobody was seen'}")
    for person in people:
        _print_person(person, several)
    if answer.segments:
        click.echo()
        who = ("person",) * several
        print_table(
            (
                (
                    f"{each.start_s:.2f}",
                    f"{each.end_s:.2f}",
                    *(str(each.person_id),) * several,
                    each.label,
                    f"{each.score:.3f}",
                )
                for each in answer.segments
            ),
            ("from s", "to s", *who, "action", "score"),
            ">>" + ">" * several + "<>",
        )


def _print_person(person: PersonActions, several: bool) -> None:
    if several:
        click.echo(f"person {person.person_id}:")
    if person.reason:
        click.echo(f"no action: {person.reason}")
    else:
        print_table(((action.label, f"{action.score:.3f}") for action in person.actions), ("action", "score"), "<>")
