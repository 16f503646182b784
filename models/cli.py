"""The program `deephar-models`: what makes models that the service then serves."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from models.failure import failed

# Loaded only when asked for: export loads PyTorch, engine must do without.
COMMANDS = {
    "weights": ("models.weights.command", "List, download and import deephar's released weights."),
    "export": ("models.export.command", "Turn imported weights into a model that Triton serves."),
    "engine": ("models.tensorrt_engine.command", "Build TensorRT engines of a model for this machine's GPU."),
    "add": ("models.own.command", "Take an ONNX pose network of your own into the model repository."),
    "train-actions": ("models.own_actions.command", "Train a model of your own actions, from videos and labels."),
    "data": ("models.datasets.command", "Check the folders of public data sets, and make the boxes that they lack."),
    "evaluate": ("models.evaluation.command", "Evaluate a model on public data sets, beside the papers' figures."),
    "train": ("models.training.command", "Train one of deephar's networks by the papers' recipe."),
}


class LacksPackage(click.ClickException):
    """A command needs a package that this environment lacks."""

    def __init__(self, command: str, package: str) -> None:
        super().__init__(
            f"{command} needs the Python package {package}, which is not in this environment. In the project's folder: "
            f"make models, then .venv-models/bin/deephar-models {command} ..."
        )

    def show(self, file: object = None) -> None:  # noqa: ARG002 - click's name
        failed(self.message)


def lacking(command: str | None, error: ModuleNotFoundError) -> Exception:
    """Returns what to raise where a command's import has failed: the error itself, if a part of the project is lost."""
    package = (error.name or "").partition(".")[0]
    return error if command is None or package in ("", "models", "service") else LacksPackage(command, package)


class Commands(click.Group):
    """The commands of the table, each imported when it is run or asked for its help."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command, which may import more while it runs."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            raise lacking(ctx.invoked_subcommand, error) from None

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        try:
            command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        except ModuleNotFoundError as error:
            raise lacking(cmd_name, error) from None
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def program() -> None:
    """Makes models that a deephar-serve serves. Asking it for poses and actions is the program `deephar`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `deephar-models`. Returns the exit status: 1 for what failed, 2 for wrong usage, 130 after Ctrl-C."""
    return run(program, "deephar-models", arguments)


def run(command: click.Command, name: str, arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit status, which is what the command returns.

    Args:
        command: A command or a group of them.
        name: Of the program, for its help.
        arguments: Those of the command line where they are absent.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return int(command.main(given, prog_name=name, standalone_mode=False) or 0)
    except click.Abort:
        click.echo("deephar-models: stopped", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
