"""Poses in the formats of other programs, on stdout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from deephar.formats import Poses
    from deephar.results import Layout


def layout_for(form: str, chosen: str, has_ids: bool) -> str:
    """Returns the layout to ask for: the chosen one, or the one that readers of the format expect.

    Args:
        form: Name of the format.
        chosen: By the caller; empty: none.
        has_ids: Whether people have ids, as those in videos do.

    Raises:
        click.UsageError: The format is not for this.
    """
    from deephar.formats import FORMATS

    if FORMATS[form].needs == "ids" and not has_ids:
        raise click.UsageError(f"{form} is of people in videos: deephar actions VIDEO --format {form}")
    return chosen or FORMATS[form].layout or ""


def print_poses(form: str, poses: Iterable[Poses], layout: Layout) -> None:
    """Prints poses in a format, piece by piece.

    Raises:
        FormatError: They lack what the format needs.
    """
    from deephar.formats import FORMATS

    for chunk in FORMATS[form].chunks(poses, layout.to_dict()):
        click.echo(chunk, nl=False)
