"""Progress of a download on stderr: one line that is redrawn on a terminal, else a few lines."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol, TextIO

_REDRAW_S = 0.1
_CLEAR = "\r\x1b[K"
_MB = 1_000_000


class Report(Protocol):
    """Where a download reports its progress."""

    def say(self, text: str) -> None:
        """Prints a line that stays."""

    def progress(self, done: int, total: int | None) -> None:
        """Shows how many bytes have arrived, and of how many where that is known."""


@dataclass
class TerminalReport:
    """One line that is redrawn: percentage, size, speed."""

    stream: TextIO
    _start: tuple[float, int] | None = field(default=None, init=False)  # when, with how many bytes
    _drawn: float = field(default=0.0, init=False)

    def say(self, text: str) -> None:
        self._start = None
        print(f"{_CLEAR}{text}", file=self.stream, flush=True)

    def progress(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if self._start is None:
            self._start = now, done
        if now - self._drawn < _REDRAW_S:
            return
        self._drawn = now
        seconds, arrived = now - self._start[0], done - self._start[1]
        speed = f"  {arrived / seconds / _MB:.1f} MB/s" if seconds else ""
        print(f"{_CLEAR}  {amount(done, total)}{speed}", end="", file=self.stream, flush=True)


@dataclass
class LineReport:
    """A line for each tenth of the file, or each 10 MB where its size is unknown: for logs."""

    stream: TextIO
    _last: tuple[int | None, int] | None = field(default=None, init=False)  # of which size, which step of it

    def say(self, text: str) -> None:
        print(text, file=self.stream, flush=True)

    def progress(self, done: int, total: int | None) -> None:
        here = total, done * 10 // total if total else done // (10 * _MB)
        if here != self._last:
            self._last = here
            print(f"  {amount(done, total)}", file=self.stream, flush=True)


def report_on(stream: TextIO) -> Report:
    """A report for a terminal or for a log, whichever the stream is."""
    return TerminalReport(stream) if stream.isatty() else LineReport(stream)


def amount(done: int, total: int | None) -> str:
    if not total:
        return f"{done / _MB:.1f} MB"
    return f"{done * 100 // total:3d} %  {done / _MB:.1f} of {total / _MB:.1f} MB"
