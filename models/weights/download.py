"""Downloads a released weights file: resumes interrupted downloads, and checks the file before it is kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from models.files.checksums import md5_of
from models.weights.download_report import Report
from models.weights.partial_file import InUse, Origin, PartialFile
from models.weights.released import Released, released_file
from models.weights.resumable_http import Interrupted, Refused, fetch

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
PAUSES_S = (1.0, 2.0, 4.0, 8.0)  # before each further try


class DownloadFailed(Exception):
    """The download failed; the text says why and what to do."""


def pull(
    released: Released, cache: Path, report: Report, pauses_s: Sequence[float] = PAUSES_S, timeout_s: float = 30.0
) -> Path:
    """Downloads a released file, unless it is there already and right.

    Args:
        released: The file.
        cache: The folder that weights are kept in.
        report: What is told on the way.
        pauses_s: Pauses before further tries, as many as fail in a row before it gives up.
        timeout_s: Of the server's answers.

    Returns:
        The file in the cache.

    Raises:
        DownloadFailed: What has arrived is kept for the next try.
        OSError: The folder cannot be written.
    """
    target = released_file(released, cache)
    if target.exists():
        flaw = flaw_of(target, released.md5)
        if flaw is None:
            report.say(f"{target} is already there, {_checked(target, released)}")
            return target
        report.say(f"{target} {flaw}: downloading it anew")
    try:
        with PartialFile(target) as part:
            if part.origin.validator is None and released.md5 is None:
                part.begin(Origin())  # nothing would show that the rest is of another file
            report.say(f"{released.file} from {released.place}" + (", going on" if part.size else ""))
            _fetch_patiently(released.url, part, report, pauses_s, timeout_s)
            flaw = flaw_of(part.path, released.md5)
            if flaw is not None:
                part.discard()
                raise Refused(f"what was sent {flaw}; it was removed")
            part.finish()
    except Refused as error:
        raise DownloadFailed(f"{released.url}: {error}.\n{_by_hand(released, target)}") from error
    except Interrupted as error:
        raise DownloadFailed(
            f"{released.url}: {error}, {len(pauses_s) + 1} times in a row. What has arrived is kept: the same command "
            f"goes on from there.\n{_by_hand(released, target)}"
        ) from error
    except InUse as error:
        raise DownloadFailed(str(error)) from error
    report.say(f"{target} is here, {_checked(target, released)}")
    return target


def flaw_of(file: Path, md5: str | None) -> str | None:
    """What is wrong with a weights file, as a predicate of its name; None where nothing is."""
    with file.open("rb") as stream:
        start = stream.read(len(HDF5_SIGNATURE))
    if start != HDF5_SIGNATURE:
        return f"is not an HDF5 file (it begins with {start!r})"
    if md5 is not None and (actual := md5_of(file)) != md5:
        return f"has the MD5 {actual}, not the published {md5}"
    return None


def _fetch_patiently(url: str, part: PartialFile, report: Report, pauses_s: Sequence[float], timeout_s: float) -> None:
    """Retries until all bytes are here. Only tries without any new bytes count towards giving up."""
    furthest, fruitless = part.size, 0
    while True:
        try:
            return fetch(url, part, HDF5_SIGNATURE, report, timeout_s)
        except Interrupted as interruption:
            if part.size > furthest:
                furthest, fruitless = part.size, 0
            if fruitless == len(pauses_s):
                raise
            pause_s = max(pauses_s[fruitless], interruption.pause_s)
            fruitless += 1
            report.say(f"{interruption}; trying again in {pause_s:.0f} s")
            time.sleep(pause_s)


def _checked(file: Path, released: Released) -> str:
    if released.md5 is not None:
        return "with the published MD5"
    return f"with the MD5 {md5_of(file)} (none is published to compare it with)"


def _by_hand(released: Released, target: Path) -> str:
    return (
        f"By hand: get the file with a browser from {released.page}, save it as {target} "
        f"and run: deephar-models weights import {released.model}"
    )
