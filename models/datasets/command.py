"""`deephar-models data`: what a data set's folder holds, and what the protocols need beside it."""

from __future__ import annotations

from pathlib import Path

import click

from models.datasets import boxes_command
from models.datasets.catalogue import MODULES, module_of
from models.datasets.check import report
from models.failure import failed, text_of


@click.group()
def command() -> None:
    """Check the folder of a data set and make what it lacks."""


command.add_command(boxes_command.command, "boxes")


@command.command(short_help="Say what of a data set is there and what is missing.")
@click.argument("name", type=click.Choice(list(MODULES)), metavar="NAME")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
def check(name: str, folder: Path) -> int:
    """Say what of the data set NAME lies in DIR, what is missing and where it comes from.

    NAME is mpii, lsp, lspet, coco, h36m, penn or ntu. Nothing is written. Status 1: something is missing or wrong.
    """
    try:
        if not folder.is_dir():
            return failed(f"{folder} is no folder")
        findings = module_of(name).inspect(folder)
    except OSError as error:  # such as a folder that may not be read
        return failed(text_of(error, folder))
    print(report(findings))
    return int(any(finding.state.is_problem for finding in findings))
