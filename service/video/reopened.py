"""A file that is read at several places at once."""

from __future__ import annotations

import io
import os


class Reopened(io.RawIOBase):
    """A file that is open already, read from its beginning with a position of its own.

    Args:
        descriptor: Of the file, which stays open for longer than this.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._position = descriptor, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size()}[whence]
        self._position = start + offset
        return self._position

    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size
