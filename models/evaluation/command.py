"""`deephar-models evaluate DATASET`: a model's figures on a public data set, beside the paper's."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from tabulate import tabulate

from models.datasets.catalogue import MODULES
from models.datasets.problem import DataProblem
from models.evaluation.figures import COUNTINGS, ORIGINAL, STRICT, Counting
from models.evaluation.journal import NAME as JOURNAL
from models.evaluation.problem import EvaluationProblem
from models.evaluation.targets.problem import TargetProblem
from models.failure import failed, text_of
from models.files.folders import cache_folder, repository_folder


@click.command()
@click.argument("dataset", type=click.Choice(list(MODULES)), metavar="DATASET")
@click.option("--model", required=True, help="As the service calls it; a cut network as penn@14.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the data set.")
@click.option("--split", help="Of the data set.  [default: the one that the papers evaluate on]")
@click.option(
    "--target",
    default="torch",
    show_default=True,
    metavar="torch|onnx|HOST:PORT|gateway[,...]",
    help="Who computes: imported weights, the model repository's files, a Triton, or a running service. Several, by "
    "commas, are compared stage by stage.",
)
@click.option(
    "--protocol",
    type=click.Choice(list(COUNTINGS)),
    default=ORIGINAL,
    show_default=True,
    help="Whose counting is printed; the table has both.",
)
@click.option(
    "--views",
    type=click.Choice(["single", "multi"]),
    default="single",
    show_default=True,
    help="Crops of a person: one, or five with their mirrors.",
)
@click.option(
    "--boxes",
    metavar="annotated|image|FILE",
    help="Of the people in penn and ntu; in lsp and lspet the joints' box or the whole picture.  [default: as the "
    "original; the whole picture]",
)
@click.option(
    "--subjects",
    type=click.Choice(["cross-subject", "cross-view"]),
    default="cross-subject",
    show_default=True,
    help="How ntu is split.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Evaluate only the first samples, this many.")
@click.option("--batch", type=click.IntRange(min=1), default=8, show_default=True, help="Crops computed at a time.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the results.  [default: evaluations/...]"
)
@click.option("--again", is_flag=True, help="Discard the results in --out and start again.")
@click.option(
    "--repository",
    type=click.Path(path_type=Path),
    default=repository_folder,
    show_default="the service's",
    help="The models, for onnx.",
)
def command(
    dataset: str,
    model: str,
    data: Path,
    split: str | None,
    target: str,
    protocol: Counting,
    views: str,
    boxes: str | None,
    subjects: str,
    limit: int | None,
    batch: int,
    out: Path | None,
    again: bool,
    repository: Path,
) -> int:
    """Evaluate a model on a public data set as the papers do, and strictly.

    DATASET is mpii, lsp, lspet, coco, h36m, penn or ntu. A stopped evaluation goes on with the same command. The folder
    of the results has record.json, table.md and plots.
    """
    from models.evaluation.compare import compare
    from models.evaluation.opening import Wanted, opened
    from models.evaluation.run import evaluate

    wanted = Wanted(
        dataset, model, data, target, split, views, boxes, subjects, repository, cache_folder(), batch
    )  # fmt: skip
    folder = out or _folder(wanted.dataset, model, target, split, views, subjects)
    try:
        if len(targets := target.split(",")) > 1:
            print(compare(wanted, targets, folder, counting=protocol, limit=limit, again=again), end="")
            return 0
        with opened(wanted) as asked:
            found = evaluate(asked, folder, counting=protocol, limit=limit, again=again)
    except EvaluationProblem as problem:
        return failed(str(problem))
    except (DataProblem, TargetProblem) as problem:
        return _failed(str(problem), folder)
    except OSError as error:
        return _failed(text_of(error, folder), folder)
    print(_summary(found, protocol))
    print(f"{folder}: table.md, record.json and plots")
    return 0


def _folder(dataset: str, model: str, target: str, split: str | None, views: str, subjects: str) -> Path:
    """A folder of its own for each evaluation."""
    parts = [dataset, split, model, target.replace(":", "-").replace(",", "_"), views if views != "single" else None]
    if dataset == "ntu":
        parts.append(subjects)
    return Path("evaluations") / "_".join(part for part in parts if part)


def _summary(found: dict[str, object], protocol: Counting) -> str:
    """The figures of one counting, beside the published ones; strict ones where the original has none."""
    rows = []
    for figure in found["figures"]:  # type: ignore[attr-defined]
        counting = protocol if figure[protocol] else STRICT
        value, published = figure[counting], figure["published"]
        if value is not None and value["value"] is not None:
            digits = 1 if value["unit"] else 3
            between = f"{value['low']:.{digits}f} to {value['high']:.{digits}f}"
            here = f"{value['value']:.{digits}f} {value['unit']}"
            there = f"{published['value']} {published['unit']}" if published else ""
            rows.append((figure["name"], counting, here, between, there))
    headers = ["figure", "counting", "here", "95 % interval", "published"]
    return tabulate(rows, headers=headers, disable_numparse=True)


def _failed(text: str, folder: Path) -> int:
    """Says why, and that the journals of the folder, which has one for each target, are kept."""
    status = failed(text)
    if any([*folder.glob(JOURNAL), *folder.glob(f"*/{JOURNAL}")]):
        print(f"What is done is kept in {folder}: the same command goes on.", file=sys.stderr)
    return status
