"""Where what is drawn of each input goes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from deephar.cli.inputs import stem_of

PICTURES = (".jpg", ".jpeg", ".png", ".webp")
VIDEOS = (".mp4",)


def targets_of(output: Path, sources: tuple[str, ...], suffixes: tuple[str, ...], what: str) -> dict[str, Path]:
    """Returns a file for each input.

    Args:
        output: A file, of one input; otherwise a folder, which is made.
        sources: The inputs.
        suffixes: Of files that can be written; those in a folder have the first.
        what: The end of the names of files in a folder.

    Raises:
        click.UsageError: The output does not fit the inputs.
        OSError: The folder cannot be made.
    """
    is_folder = output.is_dir() or not (output.suffix or output.exists()) or len(sources) > 1
    if not is_folder:
        if output.suffix.lower() not in suffixes and not _is_device(output):
            raise click.UsageError(f"-o draws into {', '.join(suffixes)}, not {output}; other forms: --json > FILE")
        return dict.fromkeys(sources, output)
    if output.exists() and not output.is_dir():
        raise click.UsageError(f"-o {output} is a file; name a folder for {len(sources)} inputs")
    targets = {source: output / f"{stem_of(source)}_{what}{suffixes[0]}" for source in sources}
    twice = [str(target) for target, times in Counter(targets.values()).items() if times > 1]
    if twice:
        raise click.UsageError(f"several inputs would be drawn into {twice[0]}; name them in commands of their own")
    output.mkdir(parents=True, exist_ok=True)
    return targets


def _is_device(output: Path) -> bool:
    return output.exists() and not output.is_file()
