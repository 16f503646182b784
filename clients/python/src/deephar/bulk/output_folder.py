"""The folder of a batch: one owner at a time, one set of options, and files that are whole or not there."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RESULTS, ANNOTATED, ERRORS, PARQUET = "results", "annotated", "errors.jsonl", "parquet"
_OWN = ".batch"  # what only batches read: lock, options, files that are being written


class OtherBatch(RuntimeError):
    """The folder is of another batch, or one is running in it; the text says what to do."""


class OutputFolder:
    """The results of a batch.

    Args:
        folder: Is made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._results = str(folder / RESULTS)
        self._unfinished = folder / _OWN / "unfinished"
        self._unique, self._numbers = uuid.uuid4().hex, itertools.count()  # other processes write into it on a cluster

    @contextmanager
    def owned(self, options: dict[str, Any]) -> Iterator[None]:
        """Returns the context in which this process is the only batch here.

        Args:
            options: What the results depend on, as JSON. A folder keeps those of its first batch.

        Raises:
            OtherBatch: Another batch is running here, or the results here are of other options.
            OSError: The folder cannot be written.
        """
        own = self.folder / _OWN
        own.mkdir(parents=True, exist_ok=True)
        with (own / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise OtherBatch(
                    f"{self.folder}: another batch is running here ({lock.read().strip() or 'starting'}); "
                    "wait for it, end it, or take another folder"
                ) from None
            lock.truncate(0)
            lock.write(f"process {os.getpid()} on {os.uname().nodename}")
            lock.flush()
            shutil.rmtree(self._unfinished, ignore_errors=True)  # of a batch that was killed
            self._unfinished.mkdir(exist_ok=True)
            self._agree_on(options, own / "options.json")
            yield

    def _agree_on(self, options: dict[str, Any], file: Path) -> None:
        try:
            before = json.loads(file.read_text())
        except FileNotFoundError:
            self.write(file, json.dumps(options, indent=1, sort_keys=True).encode() + b"\n", durable=True)
            return
        names = sorted(name for name in before.keys() | options.keys() if before.get(name) != options.get(name))
        if names:
            differences = "; ".join(
                f"{name} was {json.dumps(before.get(name))} and is {json.dumps(options.get(name))}" for name in names
            )
            raise OtherBatch(
                f"{self.folder} has results of other options: {differences}. Take the same ones, or another folder"
            )

    def result_of(self, id: str) -> str:
        """Returns the path of an input's result."""
        return f"{self._results}/{id}.jsonl"

    def product_of(self, id: str, kind: str, suffix: str) -> str:
        """Returns the path of what else is made of an input."""
        return f"{self.folder}/{kind}/{id}{suffix}"

    def has_result(self, id: str) -> bool:
        """Returns whether there is a whole result: it ends with its last line's end.

        A machine that lost its power may have kept a name and lost what was in it.
        """
        try:
            with open(self.result_of(id), "rb", buffering=0) as file:
                file.seek(-1, os.SEEK_END)
                return file.read(1) == b"\n"
        except OSError:
            return False

    def write(self, path: str | Path, content: bytes, durable: bool = False) -> None:
        """Writes a file that is there as a whole or not at all, whenever this process ends.

        Args:
            path: Where; folders above are made.
            content: Its bytes.
            durable: Whether it has reached the disk before its name appears; takes milliseconds.
        """
        with self.unfinished() as unfinished:
            with open(unfinished, "wb", buffering=0) as file:
                written = 0
                while written < len(content):
                    written += file.write(memoryview(content)[written:])
                if durable:
                    os.fsync(file.fileno())
            self.finish(unfinished, path)

    def write_lines(self, path: str | Path, lines: Iterable[str]) -> None:
        """Writes a text of any length, as `write` does, durably."""
        with self.unfinished() as unfinished:
            with open(unfinished, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
            self.finish(unfinished, path)

    @contextmanager
    def unfinished(self) -> Iterator[str]:
        """Returns the context of a path for a file that is being made; what is still there at its end is removed."""
        path = f"{self._unfinished}/{self._unique}-{next(self._numbers)}"
        try:
            yield path
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    @staticmethod
    def finish(unfinished: str, path: str | Path) -> None:
        """Gives a finished file its name, at once. One of that name is replaced."""
        try:
            os.replace(unfinished, path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.replace(unfinished, path)


def digest_of(id: str) -> bytes:
    """Returns a few bytes that stand for an input: a batch may remember many."""
    return hashlib.blake2b(id.encode(errors="surrogateescape"), digest_size=12).digest()
