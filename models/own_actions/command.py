"""`deephar-models train-actions`: a clip network for one's own actions, from a folder of videos and a CSV of labels."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click
from deephar import DeepharError
from deephar.address import default_address

from models.failure import failed, text_of
from models.files.folders import cache_folder, repository_folder
from models.own_actions.making import AGREES, Made, Wanted, make
from models.own_actions.problem import CannotTrain
from models.own_actions.report import text
from models.own_actions.training import Recipe

STANDARD = Recipe()


@click.command()
@click.option(
    "--videos",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of the videos that the CSV names.",
)
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="CSV with file,label and, if wanted, start_s,end_s,split,group. The label none: none of the actions.",
)
@click.option("--name", required=True, help="That requests name the model by.")
@click.option(
    "--address", default=default_address, show_default="$DEEPHAR_ADDRESS or localhost:8081", help="Of a deephar-serve."
)
@click.option("--no-mirror", is_flag=True, help="Left and right matter: a mirrored movement is another action.")
@click.option(
    "--steps", type=click.IntRange(min=10, max=100_000), default=STANDARD.steps, show_default=True, help="Of training."
)
@click.option("--seed", type=click.IntRange(min=0), default=STANDARD.seed, show_default=True, help="Of all draws.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the report: text, JSON, predictions, confusion matrix.  [default: NAME_report]",
)
@click.option("--description", default="", help="For those who choose a model.")
@click.option("--licence", default="not stated", show_default=True, help="Of the weights.")
@click.option(
    "--repository",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=repository_folder,
    show_default="the service's",
    help="Where the model goes.",
)
@click.option("--replace", is_flag=True, help="Replace a model, and a report, of this name.")
def command(name: str, out: Path | None, steps: int, seed: int, no_mirror: bool, **options: Any) -> int:
    """Train a model that names actions of your own.

    A running deephar-serve looks at the videos; what it sees is kept for the next time. A clip network learns from that
    in minutes on a CPU, is tried on clips that it has not seen, and is written as a model, which the service takes up.
    """
    recipe = Recipe(steps=steps, seed=seed, mirror=not no_mirror)
    wanted = Wanted(
        name=name,
        recipe=recipe,
        out=out or Path(f"{name}_report"),
        cache=cache_folder() / "tracks",
        api_key=os.environ.get("DEEPHAR_API_KEY", "").strip(),
        **options,
    )
    try:
        made = make(wanted, lambda line: print(line, file=sys.stderr))
    except (CannotTrain, DeepharError) as error:
        return failed(str(error))
    except OSError as error:
        places = f"{wanted.repository}, {wanted.out} or {wanted.cache} cannot be written"
        return failed(text_of(error, places))
    print(report(made, wanted))
    if made.difference is not None and made.difference > AGREES:
        print("warning: the service answers something else than was computed here; see its log", file=sys.stderr)
    return 0


def report(made: Made, wanted: Wanted) -> str:
    """Returns what was found and written, as text."""
    clip, frame = made.folders
    lines = [text(made.figures), "", f"{wanted.out} has this as files, with a plot", f"{clip} and {frame} are written"]
    match made.difference:
        case None:
            lines.append(
                f"no service at {wanted.address} has taken the model up yet: one that runs on this repository does so "
                "by itself"
            )
        case difference:
            lines.append(
                f"the service at {wanted.address} serves {wanted.name}: scores of {made.tried} as computed here to "
                f"{difference:.2g}"
            )
    return "\n".join(lines)
