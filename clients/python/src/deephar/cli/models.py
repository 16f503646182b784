"""`deephar models`: what the service has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from deephar.cli.connection import Connection, with_connection
from deephar.cli.output import print_json, print_table

if TYPE_CHECKING:
    from deephar.results import Model


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each model.")
@with_connection
def models(connection: Connection, as_json: bool) -> None:
    """Lists the models of the service, ready or not."""
    with connection.client() as client:
        found = client.models()
    if as_json:
        for model in found:
            print_json(model.to_dict())
        return
    print_table(
        (_row(model) for model in found), ("model", "version", "ready", "joints", "actions", "what it is"), "<<<<><"
    )
    for model in found:
        for part in model.missing:
            click.echo(f"{model.name} is not ready: {part}", err=True)


def _row(model: Model) -> tuple[str, ...]:
    joints = f"{model.layout.name} {model.dimensions}D" if model.layout.name else "-"
    actions = str(len(model.actions)) if model.actions else "-"
    return model.name, model.version, "yes" if model.ready else "no", joints, actions, model.description
