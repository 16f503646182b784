"""What commands print: tables for people, JSON lines for machines, progress; and files that are whole or not there."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from deephar.cli.exits import Failure

if TYPE_CHECKING:
    from tqdm import tqdm

Item = TypeVar("Item")


def print_table(rows: Iterable[Sequence[str]], headers: Sequence[str], aligned: str) -> None:
    """Prints a table that looks the same on a terminal and in a pipe.

    Args:
        rows: Of cells.
        headers: One a column.
        aligned: "<" or ">" for each column: where its cells begin or end.
    """
    from tabulate import tabulate

    sides = ["left" if side == "<" else "right" for side in aligned]
    table = tabulate(list(rows), headers, "plain", disable_numparse=True, colalign=sides, headersalign=sides)
    click.echo("\n".join(line.rstrip() for line in table.splitlines()))


def print_json(value: dict[str, Any]) -> None:
    """Prints an object as a line, at once."""
    print(json.dumps(value), flush=True)


def progress(items: Iterable[Item], total: float | None, unit: str, text: str = "") -> Iterator[Item]:
    """Yields items with a bar on stderr, where that is a terminal."""
    with bar(total, unit, text) as shown:
        for item in items:
            yield item
            shown.update()


def bar(total: float | None, unit: str, text: str = "", scaled: bool = False) -> tqdm[Any]:
    """Returns a progress bar on stderr; it shows nothing where that is no terminal. It goes when it is closed.

    Args:
        total: How many there are; None: nobody knows.
        unit: What is counted.
        text: Before the bar.
        scaled: Counts are shown as k, M, G.
    """
    from tqdm import tqdm

    return tqdm(
        total=total,
        unit=unit if scaled else f" {unit}",
        unit_scale=scaled,
        desc=text or None,
        leave=False,
        dynamic_ncols=True,
        disable=None,
    )


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Shows on stderr, where that is a terminal, how long something has taken that cannot be counted."""
    from tqdm import tqdm

    ended = threading.Event()
    with tqdm(desc=text, bar_format="{desc}: {elapsed}", leave=False, disable=None) as shown:

        def tick() -> None:
            while not ended.wait(0.5):
                shown.refresh()

        thread = threading.Thread(target=tick, daemon=True)
        if not shown.disable:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            if thread.is_alive():
                thread.join()


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Gives a temporary file beside the target, which takes its name at the end. An error leaves the target as it was.

    Raises:
        Failure: There is no such folder.
        OSError: The folder cannot be written into.
    """
    if target.exists() and not target.is_file():  # a device or a pipe: it is written into
        yield target
        return
    check_folder(target)
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def check_folder(target: Path) -> None:
    """Raises `Failure` where the folder of a file that is to be written is missing."""
    if not target.parent.is_dir():
        raise Failure(f"{target}: there is no folder {target.parent}; make it")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
