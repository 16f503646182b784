"""The program `deephar`: the table of its commands, and how each run of it ends."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn

import click

from deephar.cli.exits import BROKEN_PIPE, DONE, FORESEEN, INTERRUPTED, exit_code_of, tell, text_of
from deephar.version import __version__


class Entry(NamedTuple):
    """Where a command is: its module is imported when it is asked for."""

    module: str  # of this package
    help: str = ""  # in the list of commands; those without are left out
    name: str = ""  # of the command in its module; empty: as in the table


COMMANDS = {
    "pose": Entry("pose", "The people in pictures, with their keypoints."),
    "actions": Entry("actions", "The actions in videos."),
    "live": Entry("live", "Poses and actions of a camera or a video, as they happen."),
    "batch": Entry("batch", "Thousands of pictures and videos, resumed where it was interrupted."),
    "models": Entry("models", "The models of the service."),
    "top": Entry("top", "The service at work, every second."),
    "completion": Entry("completion", "The script that completes commands in a shell."),
    "classify": Entry("actions", name="actions"),
    "stream": Entry("live", name="live"),
    "weights": Entry("moved", name="moved"),
    "export": Entry("moved", name="moved"),
    "engine": Entry("moved", name="moved"),
}

EXAMPLES = """\
\b
Examples:
  deephar pose photo.jpg                  the keypoints of the people in it
  deephar pose photo.jpg -o drawn.jpg     and a picture with their skeletons
  deephar pose *.jpg --csv > people.csv
  deephar actions video.mp4               the actions in it, and when
  deephar actions video.mp4 -o drawn.mp4
  deephar live 0 --show                   the first webcam, in a window
  deephar batch photos/ -o results/       a whole folder
"""
WHERE = """\
The service is looked for at DEEPHAR_ADDRESS, else at localhost:8081. A key for it is read from DEEPHAR_API_KEY.
Models are made by another program: deephar-models.
"""


class LazyCommands(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [name for name, entry in COMMANDS.items() if entry.help]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(importlib.import_module(f"deephar.cli.{entry.module}"), entry.name or cmd_name)
        assert isinstance(command, click.Command)
        return command

    # Click ends the process itself where a pipe is broken, as if something had failed.
    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        with _broken_pipe_told_apart():
            return super().make_context(*arguments, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _broken_pipe_told_apart():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].help) for name in self.list_commands(ctx)])


@click.group(
    cls=LazyCommands,
    epilog=EXAMPLES + "\n" + WHERE,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def deephar(context: click.Context) -> None:
    """Asks a deephar-serve for poses and actions of people in pictures, videos and cameras."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs `deephar` and ends the process.

    Args:
        arguments: None: those of the process.
    """
    warnings.showwarning = _show_warning
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    """Returns the exit code. Foreseeable errors are told in a line."""
    try:
        status = deephar.main(arguments, prog_name="deephar", standalone_mode=False)
        if sys.stdout is not None:  # as it is where it was closed
            sys.stdout.flush()
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        _leave_stdout()
        return BROKEN_PIPE
    except FORESEEN as error:
        _leave_stdout()
        tell(text_of(error))
        return exit_code_of(error)
    return status if isinstance(status, int) else DONE


@contextmanager
def _broken_pipe_told_apart() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        _leave_stdout()
        raise click.exceptions.Exit(BROKEN_PIPE) from None


def _leave_stdout() -> None:
    """What is left to be written goes nowhere: whoever read it has gone, or there is no room for it."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _terminate(number: int, frame: object) -> NoReturn:  # noqa: ARG001 - as signal calls it
    """Ends as Ctrl-C does: files that are being written are finished, or removed."""
    raise KeyboardInterrupt


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    tell(f"warning: {message}")
