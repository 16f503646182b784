"""`deephar engine`: TensorRT engines of a model, for a Triton with a GPU.

python -m models.tensorrt_engine.command lite --engines build/engines
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from models.files.folders import cache_folder, repository_folder
from models.tensorrt_engine import library, publishing, report
from models.tensorrt_engine.building import Order, build_model
from models.tensorrt_engine.key import PRECISIONS
from models.tensorrt_engine.problem import EngineProblem
from models.tensorrt_engine.progress import Progress
from models.tensorrt_engine.triton_models import models_in, others_in


def configure(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("model", nargs="?", metavar="MODEL", help="a model's name, such as lite")
    which.add_argument("--all", action="store_true", help="every model of the repository")
    parser.add_argument("--repository", type=Path, default=repository_folder(), help="ONNX models, Triton's layout")
    parser.add_argument("--engines", type=Path, default=Path("build/engines"), help="where the engines go, for Triton")
    parser.add_argument("--cache", type=Path, help="for timings and reports (default: engines in deephar's cache)")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp16", help="of frame networks (default: fp16)")
    parser.add_argument(
        "--clip-precision", choices=PRECISIONS, default="fp32", help="of clip networks, which are small (default: fp32)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs the command. Returns the exit status: 1 where the model's engines cannot be built or served.

    With --all, the other models are built all the same, and the status is 1 only where none can be served.
    """
    try:
        return _run(arguments)
    except EngineProblem as problem:
        return _failed(problem)
    except OSError as error:
        return _failed(f"{error.filename or arguments.engines}: {error.strerror or error}")


def _run(arguments: argparse.Namespace) -> int:
    repository, engines = arguments.repository.resolve(), arguments.engines.resolve()
    if engines == repository:
        raise EngineProblem("The engines need a folder of their own: --engines is the same as --repository.")
    models = models_in(repository)
    wanted = sorted(models) if arguments.all else [arguments.model]
    if not models.keys() >= set(wanted):
        raise EngineProblem(f"{repository} has no model {arguments.model}. It has: {', '.join(sorted(models))}.")
    tensorrt = library.installed()
    engines.mkdir(parents=True, exist_ok=True)
    precisions = {"frame": arguments.precision, "clip": arguments.clip_precision}
    order = Order(engines, arguments.cache or cache_folder() / "engines", precisions)

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
        if arguments.all or (served and folder.name == "person"):
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="deephar engine", description="TensorRT engines of a model, for this GPU")
    configure(parser)
    sys.exit(run(parser.parse_args()))


if __name__ == "__main__":
    main()
