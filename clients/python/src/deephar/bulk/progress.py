"""How far a batch is: a bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TextIO

from tqdm import tqdm

EVERY_S = 10.0


class Progress:
    """Counts what is done, and shows it on stderr while its context lasts.

    Args:
        stream: Where to.
        every_s: Between two lines, where that is no terminal.
    """

    def __init__(self, stream: TextIO | None = None, every_s: float = EVERY_S) -> None:
        self._stream = stream or sys.stderr
        self._every_s = every_s
        self._began_s = time.monotonic()
        self._total: int | None = None
        self._bar: tqdm[Any] | None = None
        self._shown: Callable[[], None] = self._line
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._show, name="deephar-progress", daemon=True)
        self.done = self.failed = self.before = 0  # in this run, of those without a result, in former runs

    def __enter__(self) -> Progress:
        if self._stream.isatty():
            self._bar = tqdm(file=self._stream, unit="", dynamic_ncols=True, smoothing=0, leave=False)
            self._shown, self._every_s = self._refresh, 0.2
        self._began_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self._bar is not None:
            self._bar.close()

    def expect(self, total: int) -> None:
        """Says how many inputs there are, as soon as that is known."""
        self._total = total

    def tell(self, text: str) -> None:
        """Writes a line for people."""
        if self._bar is not None:
            self._bar.clear()
        print(f"deephar: {text}", file=self._stream, flush=True)

    def summary(self) -> str:
        """Returns what was done, in a line."""
        parts = [f"{self.done - self.failed:,} done"]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.before:
            parts.append(f"{self.before:,} were done before")
        return f"{', '.join(parts)} ({self.rate:.1f} a second)"

    @property
    def rate(self) -> float:
        """Inputs a second, of this run."""
        return self.done / max(1e-9, time.monotonic() - self._began_s)

    def _show(self) -> None:
        while not self._ended.wait(self._every_s):
            self._shown()

    def _refresh(self) -> None:
        bar = self._bar
        assert bar is not None
        if self._total is not None:
            bar.total = self._total
        bar.initial, bar.n = self.before, self.before + self.done
        bar.set_postfix_str(f"{self.failed} failed" if self.failed else "", refresh=False)
        bar.refresh()

    def _line(self) -> None:
        seen = self.before + self.done
        parts = [
            f"{seen:,} of {self._total:,}" if self._total is not None else f"{seen:,}",
            f"{self.rate:.1f} a second",
        ]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self._total is not None and self.done:
            parts.append(f"{_duration((self._total - seen) / self.rate)} left")
        self.tell(", ".join(parts))


def _duration(seconds: float) -> str:
    seconds = max(0, round(seconds))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h {seconds % 3600 // 60} min"
