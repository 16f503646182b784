"""How far the engines are, as a small file beside them: the gateway tells it in /readyz, from `DEEPHAR_ENGINES`."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

FILE = "building.json"  # service.networks.engines reads it, and knows the names of its fields
SIGN_OF_LIFE_S = 5.0  # interval of writing it: it is not believed when it is old
LEAST_S = 0.5  # between two writings of steps


class Progress:
    """Writes what is being built, from the first engine until it is left.

    Args:
        engines: The folder of the engines.
        wanted: Number of engines in all, with those that are kept.
    """

    def __init__(self, engines: Path, wanted: int) -> None:
        self._file, self._wanted, self._built = engines / FILE, wanted, 0
        self._building: str | None = None
        self._step, self._began_s, self._written = "", 0.0, 0.0
        self._done: float | None = None
        self._lock, self._left = threading.Lock(), threading.Event()
        self._alive = threading.Thread(target=self._keep_writing, name="sign of life", daemon=True)

    def __enter__(self) -> Self:
        self._alive.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._left.set()
        self._alive.join()
        self._file.unlink(missing_ok=True)

    def begin(self, network: str) -> None:
        """Tells that the engine of a network is begun."""
        self._building, self._began_s = network, time.time()
        self._written = 0.0
        self.step("reading the ONNX file")

    def step(self, step: str, done: float | None = None) -> None:
        """Tells what is done at present, and which share of it, from 0 to 1, where that is known."""
        is_new = step != self._step
        self._step, self._done = step, done
        if is_new or time.monotonic() - self._written > LEAST_S:
            self._write()

    def finish(self) -> None:
        """Counts an engine as finished."""
        self._built += 1

    def _keep_writing(self) -> None:
        while not self._left.wait(SIGN_OF_LIFE_S):
            self._write()

    def _write(self) -> None:
        if self._building is None:
            return
        told = {
            "building": self._building,
            "step": self._step,
            "done": self._done,
            "built": self._built,
            "wanted": self._wanted,
            "began_s": self._began_s,
        }
        part = self._file.with_name(f"{FILE}.part")
        with self._lock, suppress(OSError):  # a full disk must not end the build
            part.write_text(json.dumps(told))
            os.replace(part, self._file)
            self._written = time.monotonic()
