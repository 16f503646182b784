"""`deephar-models engine`: TensorRT engines of a model, for a Triton with a GPU.

python -m models.tensorrt_engine.command lite --engines build/engines
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click

from models.cli import run
from models.files.folders import cache_folder, repository_folder
from models.tensorrt_engine import library, publishing, report
from models.tensorrt_engine.building import Order, build_model
from models.tensorrt_engine.key import PRECISIONS
from models.tensorrt_engine.problem import EngineProblem
from models.tensorrt_engine.progress import Progress
from models.tensorrt_engine.triton_models import models_in, others_in


@dataclass(frozen=True)
class Wanted:
    """What is to be built: one model, or all of the repository where it is None."""

    model: str | None
    repository: Path
    engines: Path
    cache: Path
    precisions: dict[str, str]


@click.command()
@click.argument("model", required=False)
@click.option("--all", "every", is_flag=True, help="Every model of the repository.")
@click.option(
    "--repository",
    type=click.Path(path_type=Path),
    default=repository_folder,
    show_default="the service's",
    help="ONNX models, in Triton's layout.",
)
@click.option(
    "--engines",
    type=click.Path(path_type=Path),
    default=Path("build/engines"),
    show_default=True,
    help="Where the engines go, for Triton.",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    show_default="engines in deephar's cache",
    help="For timings and reports.",
)
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default="fp16", show_default=True, help="Of frame networks."
)
@click.option(
    "--clip-precision",
    type=click.Choice(PRECISIONS),
    default="fp32",
    show_default=True,
    help="Of clip networks, which are small.",
)
def command(
    model: str | None,
    every: bool,
    repository: Path,
    engines: Path,
    cache: Path | None,
    precision: str,
    clip_precision: str,
) -> int:
    """Build TensorRT engines of a model, such as lite, for this machine's GPU.

    The exit status is 1 where the model's engines cannot be built or served. With --all, the other models are built all
    the same, and it is 1 only where none can be served.
    """
    if every == (model is not None):
        raise click.UsageError("name one MODEL, or give --all")
    precisions = {"frame": precision, "clip": clip_precision}
    wanted = Wanted(model, repository.resolve(), engines.resolve(), cache or cache_folder() / "engines", precisions)
    try:
        return _run(wanted)
    except EngineProblem as problem:
        return _failed(problem)
    except OSError as error:
        return _failed(f"{error.filename or engines}: {error.strerror or error}")


def _run(asked: Wanted) -> int:
    repository, engines = asked.repository, asked.engines
    if engines == repository:
        raise EngineProblem("The engines need a folder of their own: --engines is the same as --repository.")
    models = models_in(repository)
    wanted = sorted(models) if asked.model is None else [asked.model]
    if not models.keys() >= set(wanted):
        raise EngineProblem(f"{repository} has no model {asked.model}. It has: {', '.join(sorted(models))}.")
    tensorrt = library.installed()
    engines.mkdir(parents=True, exist_ok=True)
    order = Order(engines, asked.cache, asked.precisions)

    served: list[str] = []
    with Progress(engines, sum(len(models[model]) for model in wanted)) as progress:
        for model in wanted:
            try:
                build_model(model, models[model], order, tensorrt, print, progress)
                print(f"{model}: in {engines}")
                served.append(model)
            except EngineProblem as problem:
                _failed(problem)
    others = others_in(repository)
    for folder in others:
        if asked.model is None or (served and folder.name == "person"):
            _pass_on(folder, engines)
    in_repository = {network.name for networks in models.values() for network in networks}
    for name in publishing.withdraw_all_but(engines, in_repository | {folder.name for folder in others}):
        print(f"{name}: removed, it is no longer in {repository}")
    return 0 if served else 1


def _pass_on(folder: Path, engines: Path) -> None:
    """Copies the detector, or a model of somebody else, to be served as it is by the backend that it names."""
    files = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    publishing.publish(engines, folder.name, files | {report.FILE: b'{"verdict": "passed on"}\n'})


def _failed(problem: object) -> int:
    print(problem, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(run(command, "deephar-models engine"))
