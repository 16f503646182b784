"""Tells what a file holds that is not what its name says: broken downloads and error pages saved as data."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".7z", ".rar")
UNFINISHED = (".part", ".crdownload", ".download", ".aria2", ".tmp", ".partial")


def foreign_content(file: Path) -> str | None:
    """What a file holds in place of data, in words; None where nothing speaks against it."""
    if file.stat().st_size == 0:
        return "it is empty: a download that did not begin"
    with file.open("rb") as stream:
        head = stream.read(512)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, not the data: open it in a browser to read why, then download the file again"
    if head.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS, not the data: git lfs pull"
    if head.startswith((b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")):
        return "it is an archive: unpack it"
    if not head.strip(b"\0"):
        return "it begins with zeros: a download that was not ended"
    return None


def beside(folder: Path) -> Iterator[str]:
    """What of a data set lies in its folder without being usable: archives and unfinished downloads, in words."""
    for file in sorted(folder.iterdir()) if folder.is_dir() else []:
        name = file.name.lower()
        if name.endswith(UNFINISHED):
            yield f"{file.name} is a download that was not ended"
        elif name.endswith(ARCHIVES) and file.is_file():
            if name.endswith(".zip") and not zipfile.is_zipfile(file):
                yield f"{file.name} is cut or no archive: download it again"
            else:
                yield f"{file.name} is an archive: unpack it here"
