"""`deephar-models weights`: lists, downloads and converts deephar's released weights."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import click

from models.failure import failed, text_of
from models.files.checksums import md5_of
from models.files.folders import cache_folder
from models.weights import download
from models.weights.download_report import report_on
from models.weights.released import RELEASED, Released, imported_file, released_file, released_for

P = ParamSpec("P")

MODELS = click.Choice([released.model for released in RELEASED])


def reporting(action: Callable[P, int]) -> Callable[P, int]:
    """Has an action's problems with files told, as exit status 1."""

    @wraps(action)
    def reported(*arguments: P.args, **options: P.kwargs) -> int:
        try:
            return action(*arguments, **options)
        except BrokenPipeError:
            return 1  # such as `| head`
        except OSError as error:
            return failed(text_of(error, cache_folder()))

    return reported


@click.group()
def command() -> None:
    """List, download and import deephar's released weights."""


@command.command("list")
@reporting
def list_them() -> int:
    """The released weights and which of them are here."""
    print(table(cache_folder()))
    return 0


@command.command()
@click.argument("model", type=MODELS, metavar="MODEL")
@reporting
def pull(model: str) -> int:
    """Download the weights of MODEL, or go on with a broken download."""
    return _pull(released_for(model), cache_folder())


@command.command("import")
@click.argument("model", type=MODELS, metavar="MODEL")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--unchecked", is_flag=True, help="Skip the check that the weights see people; for made weights in tests."
)
@reporting
def import_them(model: str, file: Path | None, unchecked: bool) -> int:
    """Convert downloaded or trained weights for this project's networks.

    FILE is the Keras weights file of MODEL or a checkpoint of `deephar-models train`; absent: the pulled file.
    """
    released, cache = released_for(model), cache_folder()
    return _import(released, file or released_file(released, cache), cache, not unchecked)


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
        download.pull(released, cache, report)
    except download.DownloadFailed as error:
        report.say(f"deephar-models: {error}")
        return 1
    except KeyboardInterrupt:
        report.say("deephar-models: stopped. What has arrived is kept: the same command goes on from there")
        return 130
    print(f"Next: deephar-models weights import {released.model}")
    return 0


def _import(released: Released, file: Path, cache: Path, check_content: bool) -> int:
    if not file.is_file():
        return failed(
            f"there is no file {shlex.quote(str(file))}. Download it: deephar-models weights pull {released.model}"
        )
    from models.weights import keras_file, store  # here: they load h5py and PyTorch, which the other actions do without

    try:
        imported = store.import_file(released.model, file, cache, check_content)
    except keras_file.WrongWeights as error:
        return failed(f"{file.name} cannot be the weights of {released.model}: {error}{_unpublished(released, file)}")
    print(f"{imported} is here{_unpublished(released, file)}")
    print(f"Next: deephar-models export {released.model}")
    return 0


def _unpublished(released: Released, file: Path) -> str:
    from models.weights.store import is_checkpoint

    found = released.md5 if is_checkpoint(file) else released.md5 and md5_of(file)
    return "" if found == released.md5 else f"\nNote: it is not the published file (MD5 {found}, not {released.md5})"
