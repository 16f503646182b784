"""A file that is still arriving: its bytes in `<name>.part`, what they are a part of in `<name>.part.json`."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType


class InUse(Exception):
    """Another process is writing the same partial file."""


@dataclass(frozen=True)
class Origin:
    """The server's file that the bytes come from; a download goes on only where it is still the same one."""

    validator: str | None = None  # strong ETag, else Last-Modified: what If-Range takes (RFC 9110, 13.1.5)
    size: int | None = None  # bytes of the whole file


class PartialFile:
    """The part of `target` that is here, locked against other processes while it is open.

    It stays on disk when it is closed unfinished, so that a later download can go on, unless it is empty.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._path = target.with_name(target.name + ".part")
        self._notes = target.with_name(target.name + ".part.json")
        target.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("ab")  # not "wb": what is there is to be kept
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise InUse(f"{self._path} is in use: another pull of the same file is running") from error
        if not self._path.exists() or not os.path.samestat(os.fstat(self._file.fileno()), self._path.stat()):
            self._file.close()
            raise InUse(f"{self._path} was finished by another pull of the same file just now")

    def __enter__(self) -> PartialFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.size:
            self.discard()
        self._file.close()

    @property
    def path(self) -> Path:
        """Where the bytes are, for whoever wants to look at them."""
        return self._path

    @property
    def folder(self) -> Path:
        return self._path.parent

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def origin(self) -> Origin:
        """What was noted when the part was begun; nothing known where the notes are gone or damaged."""
        try:
            notes = json.loads(self._notes.read_text())
            validator, size = notes["validator"], notes["size"]
        except (OSError, ValueError, KeyError, TypeError):
            return Origin()
        return Origin(validator if isinstance(validator, str) else None, size if isinstance(size, int) else None)

    def begin(self, origin: Origin) -> None:
        """Drops what is here; the bytes that follow come from `origin`."""
        self._file.truncate(0)
        self._notes.write_text(json.dumps(asdict(origin)))

    def append(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()

    def finish(self) -> None:
        """Gives the file its final name, at once and whole."""
        os.fsync(self._file.fileno())
        self._path.replace(self._target)
        self._notes.unlink(missing_ok=True)

    def discard(self) -> None:
        self._path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)
