"""Files of settings that are read again when they change, so that keys and certificates need no restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from service.background import BackgroundTask
from service.errors import UnusableFile

log = logging.getLogger(__name__)

LOOK_S = 1.0  # between two looks at the files

T = TypeVar("T")
_State: TypeAlias = tuple[tuple[int, ...] | None, ...]


class WatchedFiles(Generic[T]):
    """What is read from some files together. A broken new version is told once, and the last good one holds.

    Links are followed at each look: files are replaced atomically so, and Kubernetes replaces those of a Secret by
    turning a link. A version is read when it was the same at two looks: who writes it may not have finished before.

    Args:
        paths: The files.
        read: Reads and checks them, in a thread; raises `UnusableFile`.
        what: Their name in the log.
        changed: Is given each new version, on the event loop.

    Raises:
        UnusableFile: The first version is broken.
    """

    def __init__(self, paths: Sequence[Path], read: Callable[[], T], what: str, changed: Callable[[T], None]) -> None:
        self._paths, self._read, self._what, self._changed = paths, read, what, changed
        self._tried = self._seen = _state(paths)
        self._task = BackgroundTask(self._watch, f"watch of {what}")
        changed(self._checked())

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._look()
            except Exception as error:  # unforeseen, or there is no memory for a thread: later versions are read
                log.error("%s: the new version is not used, the last one holds", self._what, exc_info=error)

    async def _look(self) -> None:
        before, self._seen = self._seen, await asyncio.to_thread(_state, self._paths)
        if self._seen == self._tried or self._seen != before:
            return
        self._tried = self._seen
        try:
            version = await asyncio.to_thread(self._checked)
        except UnusableFile as error:
            log.error("%s: the new version is not used, the last one holds: %s", self._what, error)
        else:
            self._changed(version)
            log.info("%s: read again", self._what)

    def _checked(self) -> T:
        try:
            return self._read()
        except OSError as error:
            raise UnusableFile(f"{error.filename}: {error.strerror}") from None


def _state(paths: Sequence[Path]) -> _State:
    """Returns what changes with the files; None for one that is not there."""

    def of(path: Path) -> tuple[int, ...] | None:
        try:
            found = path.stat()
        except OSError:
            return None
        # The time of change as well: a file that could not be read may be given other rights, and nothing else.
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    return tuple(of(path) for path in paths)
