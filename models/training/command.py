"""`deephar-models train RECIPE`: trains one of deephar's networks by the papers' recipe."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path

import click
import torch

from models.datasets.catalogue import MODULES, open_split
from models.datasets.problem import DataProblem
from models.training import checkpoint
from models.training.distributed import Process, is_lost_process, joined
from models.training.initial import source_of, start_from
from models.training.loop import Run, Settings
from models.training.mixing import check_division, present_shares
from models.training.problem import CannotTrain, Stopped
from models.training.recipe import Recipe, RecipeProblem
from models.training.recipes import RECIPES
from models.training.step import PRECISIONS
from models.training.stopping import Stop, stop_asked
from models.training.validation import validation_of


def folders(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, Path]:  # noqa: ARG001 - click's
    """Reads NAME=DIR, as often as it is given."""
    found: dict[str, Path] = {}
    for text in given:
        name, _, folder = text.partition("=")
        if name not in MODULES or not folder:
            raise click.BadParameter(f"NAME=DIR is wanted, with NAME one of {', '.join(MODULES)}, not {text!r}")
        if name in found:
            raise click.BadParameter(f"{name} is given twice")
        found[name] = Path(folder)
    return found


@click.command()
@click.argument("recipe", type=click.Choice(list(RECIPES)), metavar="RECIPE")
@click.option(
    "--data",
    callback=folders,
    multiple=True,
    required=True,
    metavar="NAME=DIR",
    help="A data set's folder; repeatable.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder of checkpoint, log and curves.",
)
@click.option(
    "--init",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Start from these weights: released, imported, or of a checkpoint.  [default: random ones]",
)
@click.option(
    "--phase",
    "phases",
    multiple=True,
    metavar="NAME",
    help="Only this phase of the recipe; repeatable.  [default: all]",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of weights and data.")
@click.option(
    "--precision",
    type=click.Choice(list(PRECISIONS)),
    default="fp32",
    show_default=True,
    help="bf16 and fp16 are mixed with fp32.",
)
@click.option("--device", help="Such as cpu or cuda:1.  [default: a GPU where there is one]")
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=4,
    show_default=True,
    help="Processes that read data, for each GPU.",
)
@click.option(
    "--log-steps", type=click.IntRange(min=1), default=50, show_default=True, help="Steps of a line of the log."
)
@click.option(
    "--checkpoint-minutes",
    type=click.FloatRange(min=0),
    default=15.0,
    show_default=True,
    help="Between checkpoints within an epoch; each epoch ends with one.",
)
@click.option("--checkpoint-steps", type=click.IntRange(min=1), help="Steps between checkpoints within an epoch.")
@click.option("--no-validation", is_flag=True, help="Leave out the figure of the validation split after each epoch.")
def command(
    recipe: str,
    data: dict[str, Path],
    out: Path,
    init: Path | None,
    phases: tuple[str, ...],
    device: str | None,
    no_validation: bool,
    **settings: object,
) -> int:
    """Train one of deephar's networks by the papers' recipe. The same command goes on where it stopped.

    RECIPE is mpii, h36m, penn, ntu, penn-cvpr18 or ntu-cvpr18, as the network is called. `deephar-models weights
    import` takes the checkpoint.
    """
    followed = _followed(RECIPES[recipe], phases, data)
    chosen = Settings(**settings)  # type: ignore[arg-type]  # click has checked them
    rank = 0
    try:
        with ExitStack() as stack:
            stop = stack.enter_context(stop_asked())
            process = stack.enter_context(joined(device))
            rank = process.rank
            return train(followed, data, out, init, chosen, process, stop, validates=not no_validation)
    except Stopped as stopped:
        _tell(rank, str(stopped))
        return 128 + stopped.signal
    except (CannotTrain, DataProblem, RecipeProblem) as problem:
        _tell(rank, str(problem))
    except torch.OutOfMemoryError:
        _tell(rank, "the GPU's memory is too small for this batch: more GPUs divide it, --precision bf16 halves it")
    except RuntimeError as error:
        if is_lost_process(error):
            _tell(rank, "another process of the training is gone: what it said, or torchrun below, tells why")
        elif str(error).startswith("DataLoader worker"):
            fewer = f"--workers {chosen.workers // 2} takes less of it"
            _tell(rank, f"a process that reads data was killed, as by a lack of memory; {fewer}")
        else:
            raise
    except OSError as error:
        _tell(rank, f"{error.filename or out}: {error.strerror or error}")
    return 1


def _followed(recipe: Recipe, phases: Sequence[str], data: Mapping[str, Path]) -> Recipe:
    """The recipe, or some phases of it, with the data that it needs and no other."""
    known = [phase.name for phase in recipe.phases]
    if unknown := [name for name in phases if name not in known]:
        raise click.UsageError(f"The recipe {recipe.name} has no phase {unknown[0]}; it has {', '.join(known)}.")
    if phases:
        recipe = replace(recipe, phases=tuple(phase for phase in recipe.phases if phase.name in phases))
    if missing := recipe.missing(data):
        raise click.UsageError(f"The recipe {recipe.name} needs the data of {missing[0]}: --data {missing[0]}=DIR")
    if others := [name for name in data if name not in recipe.datasets]:
        raise click.UsageError(f"The recipe {recipe.name} does not learn from {others[0]}.")
    return recipe


def train(
    recipe: Recipe,
    data: Mapping[str, Path],
    out: Path,
    init: Path | None,
    settings: Settings,
    process: Process,
    stop: Stop,
    *,
    validates: bool = True,
) -> int:
    """Trains a recipe's network to its end.

    Args:
        recipe: The recipe.
        data: The folder of each data set.
        out: Where checkpoint, log and curves go.
        init: Weights to begin with.
        settings: Of this run.
        process: This process of those that train together.
        stop: Tells when to end.
        validates: Whether the validation split is measured after each epoch.

    Raises:
        CannotTrain: The training cannot begin or go on.
        Stopped: A signal came.
        DataProblem: Files of a data set are missing or damaged.
        RecipeProblem: The recipe lacks a data set, or its batch cannot be divided among the processes.
    """
    sources = {
        name: open_split(name, folder, "train", **recipe.dataset_options.get(name, {})) for name, folder in data.items()
    }
    for phase in recipe.phases:  # now, not when a phase begins after days
        check_division(phase, present_shares(phase, sources), process.world)
    say = _say if process.first else _silent
    torch.manual_seed(settings.seed)
    network = recipe.build()
    if init is not None and not (out / checkpoint.LAST).exists():
        say(start_from(init, network, recipe.name))
    validation = validation_of(data, recipe.joints, recipe.dims, settings.workers) if validates else None
    with checkpoint.only_one(out) if process.first else nullcontext():
        run = Run(
            recipe, sources, network, out, settings, process, stop,
            started_from=source_of(init) if init else "", validation=validation, say=say,
        )  # fmt: skip
        run.to_the_end()
    say(f"{recipe.name} is trained. Next: deephar-models weights import {recipe.name} {out / checkpoint.LAST}")
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


def _silent(_: str) -> None:
    pass


def _tell(rank: int, text: str) -> None:
    print(f"deephar-models: {f'process {rank}: ' if rank else ''}{text}", file=sys.stderr, flush=True)
