"""`deephar weights`, `export` and `engine` are commands of `deephar-models` now."""

from __future__ import annotations

import click

from deephar.cli.exits import USAGE, tell


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True}, add_help_option=False)
@click.pass_context
def moved(context: click.Context) -> int:
    """Says where these commands are."""
    tell(
        f"models are made by deephar-models now: .venv-models/bin/deephar-models {context.info_name}; "
        "make models, in the project's folder, sets it up"
    )
    return USAGE
