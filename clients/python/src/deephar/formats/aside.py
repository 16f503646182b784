"""Text of a document that is known before its place comes: it waits on disk, so that videos of any length fit."""

from __future__ import annotations

from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import IO

_IN_MEMORY = 2**20


class Aside:
    """Text that is written first, and then read once."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY, mode="w+", encoding="utf-8")  # noqa: SIM115 - see close

    def write(self, text: str) -> None:
        self._file.write(text)

    def from_the_start(self) -> IO[str]:
        """Returns the file with all that was written."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        with suppress(OSError):  # a full disk: what was not written is not wanted any more
            self._file.close()
