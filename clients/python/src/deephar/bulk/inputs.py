"""The files of a batch: of a folder, of a list or of a pattern, in an order that stays, each with a name of its own."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["picture", "video"]

PICTURES = frozenset((".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".heic", ".heif", ".avif"))
VIDEOS = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp")
)
OUTSIDE = "@"  # folder of names for files that lie outside of the root
_LONGEST_NAME = 200  # bytes; file systems take 255, and suffixes are appended
_MAGIC = re.compile(r"[*?\[]")


class WrongSource(ValueError):
    """There is no such folder, list or pattern; the text says what to do."""


class Input(NamedTuple):
    """A file of a batch.

    Args:
        id: Its name in the results: relative, and of this file alone. Results are called after it.
        path: Where it is.
        kind: By the ending of its name; None: it is neither picture nor video.
    """

    id: str
    path: str
    kind: Kind | None


class Source:
    """Where inputs come from. It can be gone through again and again, in the same order, and holds no list of them.

    Args:
        text: A folder, which is searched with all folders in it; a text file with a path on each line; or a pattern
            as `photos/**/*.jpg`.
        without: A folder that is left out: the results may be written into the folder that is read.

    Raises:
        WrongSource: There is no such thing.
    """

    def __init__(self, text: str, without: Path | None = None) -> None:
        self._text, self._without = text, without
        if os.path.isdir(text):
            self.kind, root = "folder", text
        elif os.path.isfile(text) and kind_of(text) is None:
            self.kind, root = "list", os.curdir
        elif os.path.isfile(text):
            self.kind, root = "file", os.path.dirname(text)
        elif _MAGIC.search(text):
            self.kind, root = "pattern", _fixed_part(text)
        else:
            raise WrongSource(f"{text}: no such folder, list of files or pattern")
        self.root = os.path.abspath(root)

    def inputs(self) -> Iterator[Input]:
        """Yields the inputs. In a folder only pictures and videos; in a list and of a pattern whatever is named.

        Raises:
            OSError: A folder or the list cannot be read.
        """
        if self.kind == "folder":
            for path in _files_in(self.root, self._stat_of_without()):
                kind = kind_of(path)
                if kind is not None:
                    yield Input(self._id(path), path, kind)
            return
        for path in self._named():
            yield Input(self._id(path), path, kind_of(path))

    def _named(self) -> Iterator[str]:
        """Yields absolute paths, each once."""
        seen: set[bytes] = set()
        for path in self._as_written():
            path = os.path.abspath(path)
            key = hashlib.blake2b(os.fsencode(path), digest_size=12).digest()
            if key not in seen:
                seen.add(key)
                yield path

    def _as_written(self) -> Iterator[str]:
        if self.kind == "pattern":
            without = self._stat_of_without()
            found = sorted(glob.iglob(self._text, recursive=True), key=os.fsencode)
            yield from (path for path in found if os.path.isfile(path) and not _is_below(path, self.root, without))
        elif self.kind == "list":
            with open(self._text, encoding="utf-8", errors="surrogateescape") as lines:
                yield from (name for line in lines if (name := line.rstrip("\r\n")).strip())
        else:
            yield self._text

    def _stat_of_without(self) -> os.stat_result | None:
        try:
            return None if self._without is None else self._without.stat()
        except FileNotFoundError:
            return None

    def _id(self, path: str) -> str:
        """Returns the name of an absolute path: no two paths have the same one."""
        relative = os.path.relpath(path, self.root)
        first, *rest = relative.split(os.sep)
        if first == os.pardir:
            first, rest = OUTSIDE, [part for part in path.split(os.sep) if part]
        elif first.strip(OUTSIDE) == "":
            first += OUTSIDE  # so that nothing inside is called as what lies outside
        return "/".join(_shortened(part) for part in (first, *rest))


def kind_of(path: str) -> Kind | None:
    """Returns what a file is by the ending of its name; None: neither picture nor video."""
    suffix = os.path.splitext(path)[1].lower()
    return "picture" if suffix in PICTURES else "video" if suffix in VIDEOS else None


def _files_in(folder: str, without: os.stat_result | None) -> Iterator[str]:
    """Yields the files in a folder and those below, sorted by bytes. Links to folders are not followed."""
    with os.scandir(folder) as found:
        entries = sorted((os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in found)
    for name, is_folder in entries:
        path = os.path.join(folder, os.fsdecode(name))
        if not is_folder:
            yield path
        elif without is None or not os.path.samestat(os.stat(path), without):
            yield from _files_in(path, without)


def _is_below(path: str, root: str, folder: os.stat_result | None) -> bool:
    """Returns whether a path goes through a folder that lies below the root."""
    if folder is None:
        return False
    above = os.path.dirname(os.path.abspath(path))
    while len(above) > len(root):
        if os.path.samestat(os.stat(above), folder):
            return True
        above = os.path.dirname(above)
    return False


def _fixed_part(pattern: str) -> str:
    """Returns the folder in which a pattern begins."""
    return os.path.dirname(pattern[: _MAGIC.search(pattern).start()])  # type: ignore[union-attr]


def _shortened(part: str) -> str:
    name = os.fsencode(part)
    if len(name) <= _LONGEST_NAME:
        return part
    digest = hashlib.blake2b(name, digest_size=8).hexdigest()
    return f"{os.fsdecode(name[: _LONGEST_NAME - 17]).encode(errors='ignore').decode()}~{digest}"
