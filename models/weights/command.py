"""`deephar weights`: lists, downloads and converts deephar's released weights."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from models.files.checksums import md5_of
from models.files.folders import cache_folder
from models.weights.download import DownloadFailed, pull
from models.weights.download_report import report_on
from models.weights.released import RELEASED, Released, imported_file, released_file, released_for


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds list, pull and import to `parser`; `run` takes what it then reads."""
    models = [released.model for released in RELEASED]
    actions = parser.add_subparsers(dest="weights_action", required=True, metavar="list | pull | import")

    actions.add_parser("list", help="the released weights and which of them are here")

    pulling = actions.add_parser("pull", help="download the weights of a model, or go on with a broken download")
    pulling.add_argument("model", choices=models, metavar="MODEL", help=", ".join(models))

    importing = actions.add_parser("import", help="convert downloaded weights for this project's networks")
    importing.add_argument("model", choices=models, metavar="MODEL", help=", ".join(models))
    importing.add_argument(
        "file", type=Path, nargs="?", metavar="FILE", help="the Keras weights file (default: the pulled one)"
    )
    importing.add_argument(
        "--unchecked",
        action="store_true",
        help="skip the check that the weights see people; for made weights in tests",
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs the command; problems are printed to stderr. Returns the exit status."""
    cache = cache_folder()
    try:
        if arguments.weights_action == "list":
            print(table(cache))
            return 0
        released = released_for(arguments.model)
        if arguments.weights_action == "pull":
            return _pull(released, cache)
        return _import(released, arguments.file or released_file(released, cache), cache, not arguments.unchecked)
    except BrokenPipeError:
        return 1  # such as `| head`
    except OSError as error:
        return _failed(f"{error.filename or cache}: {error.strerror or error}")


def table(cache: Path) -> str:
    """A table of the released weights, and where the files lie."""
    rows = [("MODEL", "STATE", "FROM", "FILE", "MD5")]
    rows += [(r.model, _state(r, cache), r.place, r.file, r.md5 or "none published") for r in RELEASED]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, "", f"Files are kept in {cache} ($DEEPHAR_CACHE sets another folder)."])


def _state(released: Released, cache: Path) -> str:
    if imported_file(released.model, cache).exists():
        return "imported"
    return "pulled" if released_file(released, cache).exists() else "missing"


def _pull(released: Released, cache: Path) -> int:
    report = report_on(sys.stderr)
    try:
        pull(released, cache, report)
    except DownloadFailed as error:
        report.say(f"deephar: {error}")
        return 1
    except KeyboardInterrupt:
        report.say("deephar: stopped. What has arrived is kept: the same command goes on from there")
        return 130
    print(f"Next: deephar weights import {released.model}")
    return 0


def _import(released: Released, file: Path, cache: Path, check_content: bool) -> int:
    if not file.is_file():
        return _failed(f"there is no file {shlex.quote(str(file))}. Download it: deephar weights pull {released.model}")
    from models.weights import keras_file, store  # here: they load h5py and PyTorch, which the other actions do without

    try:
        imported = store.import_file(released.model, file, cache, check_content)
    except keras_file.WrongWeights as error:
        return _failed(f"{file.name} cannot be the weights of {released.model}: {error}{_unpublished(released, file)}")
    print(f"{imported} is here{_unpublished(released, file)}")
    print(f"Next: deephar export {released.model}")
    return 0


def _unpublished(released: Released, file: Path) -> str:
    found = released.md5 and md5_of(file)
    return "" if found == released.md5 else f"\nNote: it is not the published file (MD5 {found}, not {released.md5})"


def _failed(text: str) -> int:
    print(f"deephar: {text}", file=sys.stderr)
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="deephar weights", description=__doc__)
    configure(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
