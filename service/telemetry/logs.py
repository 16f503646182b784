"""The log: all lines go through one queue, and one thread writes them.

A write for each request would give the interpreter's lock away each time, and cost 2 to 6 % of throughput; and a write
to a pipe that nobody reads blocks. So access lines are collected for a tenth of a second, all else is written at once,
in order, and what does not fit into the queue is dropped and counted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections import deque
from queue import Empty, SimpleQueue
from types import TracebackType

from service.telemetry.formats import FORMATS, Access, LineFormat
from service.telemetry.metrics import METRICS
from service.telemetry.request import ObservedRequest

COLLECTED_S = 0.1  # for which access lines are collected
LARGEST_BACKLOG = 4 * 2**20  # bytes of lines that wait to be written
LONGEST_LINE = 2**16  # characters
LAST_WORDS_S = 1.0  # within which waiting lines must be written when the process ends
_ACCESS_BYTES = 512  # by which an access line is counted while it waits

log = logging.getLogger(__name__)


class LogWriter(logging.Handler):
    """Writes records of the log and access lines to a file descriptor, from a thread of its own.

    Args:
        form: Of the lines.
        descriptor: Where they go. It may block for as long as it likes.
    """

    def __init__(self, form: LineFormat, descriptor: int = 2) -> None:
        super().__init__()
        self._form, self._descriptor = form, descriptor
        self._lines: deque[str | Access] = deque()
        self._bytes = self._lost = 0
        self._lost_in_all = METRICS.log_lines_lost
        # The garbage collector may run in here, and what it destroys may log: the same thread may enter both again.
        self._waiting = threading.RLock()  # of the lines; never held while something is written
        self._wake: SimpleQueue[None] = SimpleQueue()  # once for lines that may be collected, twice for those at once
        self._writing = threading.Thread(target=self._write_on, name="log", daemon=True)
        self._writing.start()

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """Has no lock around `emit`: a thread that holds it would wait for one that is asked for it in `_add`."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Has a record written at once, after all that came before it."""
        try:
            line = self._form.of_record(record)
        except Exception as error:  # a wrong call of the log must not end what it tells of
            line = self._instead_of(record, f"a line of the log cannot be written: {type(error).__name__}")
        if len(line) > LONGEST_LINE:
            line = self._instead_of(record, f"{record.getMessage()[:1000]}... ({len(line)} characters)")
        self._add(line, len(line))
        self._hurry()

    def note(self, access: Access) -> None:
        """Has an access line written soon."""
        self._add(access, _ACCESS_BYTES)

    def flush(self) -> None:
        """Waits until all lines are written, for a second at most: nobody may read them."""
        self._hurry()
        until = time.monotonic() + LAST_WORDS_S
        while self._bytes and time.monotonic() < until:
            time.sleep(0.005)

    def _hurry(self) -> None:
        if self._wake.qsize() < 2:
            self._wake.put(None)

    def _add(self, line: str | Access, size: int) -> None:
        with self._waiting:
            if self._bytes + size > LARGEST_BACKLOG:
                self._lost += 1
                self._lost_in_all.inc()
                return
            is_first = not self._lines
            self._lines.append(line)
            self._bytes += size
        if is_first:
            self._wake.put(None)

    def _write_on(self) -> None:
        while True:
            self._wake.get()
            with contextlib.suppress(Empty):
                self._wake.get(timeout=COLLECTED_S)
            with self._waiting:
                lines, self._lines = self._lines, deque()
                lost, size, self._lost = self._lost, self._bytes, 0
            try:
                self._write_lines(lines, lost)
            except MemoryError:  # the lines are lost, and this thread must not be
                self._lost_in_all.inc(len(lines))
            with self._waiting:
                self._bytes -= size  # only now: what is being written takes memory as well

    def _write_lines(self, lines: deque[str | Access], lost: int) -> None:
        texts = [line if isinstance(line, str) else self._form.of_access(line) for line in lines]
        if lost:
            texts.append(self._form.of_record(_loss(lost)))
        self._write("".join(f"{text}\n" for text in texts).encode("utf-8", "backslashreplace"), len(texts))

    def _write(self, data: bytes, lines: int) -> None:
        try:
            while data:
                try:
                    data = data[os.write(self._descriptor, data) :]
                except BlockingIOError:  # another process has set the pipe so
                    time.sleep(COLLECTED_S)
        except OSError:  # the reader has gone, or the disk is full: the service goes on
            self._lost_in_all.inc(lines)
            with self._waiting:
                self._lost += lines
            time.sleep(COLLECTED_S)

    def _instead_of(self, record: logging.LogRecord, text: str) -> str:
        """Returns a line with another text."""
        return self._form.of_record(logging.LogRecord(record.name, record.levelno, "", 0, text, None, None))


_writer: LogWriter | None = None
_access = False


def install(level: str, form: str, access_log: bool = True) -> None:
    """Has all that the process logs written to stderr.

    Args:
        level: Name of the lowest level that is written.
        form: `text` or `json`.
        access_log: Whether there is a line for each request; with levels up to `info`.
    """
    global _writer, _access  # noqa: PLW0603 - as Python's own log, there is one for the process
    _writer = LogWriter(FORMATS[form]())
    root = logging.getLogger()
    root.handlers[:] = [_writer]
    root.setLevel(level.upper())
    _access = access_log and root.isEnabledFor(logging.INFO)
    logging.captureWarnings(True)
    sys.excepthook = _log_end


def note_access(request: ObservedRequest, code: str, seconds: float) -> None:
    """Has the access line of an ended request written, where there is a log."""
    if _access and _writer is not None:
        _writer.note(
            Access(
                time.time(),
                request.transport,
                request.method,
                request.route,
                code,
                seconds,
                request.bytes_in,
                request.bytes_out,
                request.caller,
                request.model,
                request.id,
                request.trace_id,
            )
        )


def _loss(lines: int) -> logging.LogRecord:
    text = "%d lines of the log were lost: nobody read it in time"
    return logging.LogRecord(log.name, logging.WARNING, "", 0, text, (lines,), None)


def _log_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logging.critical("the service ends", exc_info=(kind, error, trace))
