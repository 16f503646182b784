"""How the command ends: its exit codes, and the one line that each foreseeable error is."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

import click

from deephar.errors import DeepharError
from deephar.formats import FormatError
from deephar.video import NotAVideo, NoVideoReader

DONE = 0
INPUT_FAILED = 1  # some inputs or outputs; the others are done
USAGE = 2
UNREACHABLE = 3
REFUSED = 4  # the service answered with an error that is not about one input
INTERRUPTED = 130  # as a shell says of SIGINT
BROKEN_PIPE = 141  # as a shell says of SIGPIPE

ABOUT_INPUTS = ("invalid_image", "invalid_video", "unsupported_media_type", "payload_too_large")
ABOUT_EVERYTHING = ("unreachable", "unauthenticated", "permission_denied", "unknown_model")

FORESEEN = (DeepharError, OSError, NotAVideo, NoVideoReader, FormatError)  # told in a line, without a traceback

Input = TypeVar("Input")
Answer = TypeVar("Answer")


class Failure(click.ClickException):
    """An error of an input or an output of the command."""

    exit_code = INPUT_FAILED

    def show(self, file: object = None) -> None:  # noqa: ARG002 - click's signature
        tell(self.message)


def tell(text: str) -> None:
    """Writes a line for people to stderr."""
    click.echo(f"deephar: {text}", err=True)


def text_of(error: Exception) -> str:
    """Returns what an error says, in one line."""
    if isinstance(error, DeepharError):
        return error.detail
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def exit_code_of(error: Exception) -> int:
    """Returns the exit code of a command that an error ended."""
    if not isinstance(error, DeepharError) or error.code in ABOUT_INPUTS:
        return INPUT_FAILED
    return UNREACHABLE if error.code == "unreachable" else REFUSED


class EachInput(Generic[Input, Answer]):
    """The answers to several inputs. An error of one is told, with its name, and the rest go on.

    Args:
        inputs: What is asked for, one after another.
        ask: Returns the answer to one.
        name: Returns what an input is called.

    Raises:
        DeepharError: One that every input would meet.
        OSError: There is no room to write.
    """

    def __init__(self, inputs: Iterable[Input], ask: Callable[[Input], Answer], name: Callable[[Input], str]) -> None:
        self._inputs, self._ask, self._name = inputs, ask, name
        self.exit_code = DONE  # so far; the highest of all inputs

    def __iter__(self) -> Iterator[tuple[Input, Answer]]:
        for each in self._inputs:
            try:
                answer = self._ask(each)
            except (*FORESEEN, Failure) as error:
                if _is_about_everything(error):
                    raise
                self._tell(self._name(each), text_of(error))
                self.exit_code = max(self.exit_code, exit_code_of(error))
            else:
                yield each, answer

    @staticmethod
    def _tell(name: str, text: str) -> None:
        tell(text if text.startswith(name) else f"{name}: {text}")


def _is_about_everything(error: Exception) -> bool:
    if isinstance(error, DeepharError):
        return error.code in ABOUT_EVERYTHING
    return isinstance(error, BrokenPipeError | NoVideoReader) or (
        isinstance(error, OSError) and error.errno == errno.ENOSPC
    )
