"""The writer of the log: order, and what becomes of lines that nobody reads."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.telemetry import logs
from service.telemetry.formats import Access, TextFormat
from service.telemetry.logs import LARGEST_BACKLOG, LogWriter

ACCESS = Access(1e9, "rest", "GET", "/healthz", "200", 0.001, 0, 15, "", "", "abc", "")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("service", logging.ERROR, "", 0, text, (), None)


def test_lines_stand_in_the_order_of_what_they_tell(pipe: tuple[int, int]) -> None:
    writer = LogWriter(TextFormat(), pipe[1])
    for number in range(3):
        writer.note(ACCESS._replace(request_id=f"before-{number}"))
    writer.handle(record("failed"))
    writer.note(ACCESS._replace(request_id="after"))
    writer.flush()
    lines = os.read(pipe[0], 2**16).decode().splitlines()
    ends = [line.rpartition("=")[2] if "access" in line else line.rpartition(": ")[2] for line in lines]
    assert ends == ["before-0", "before-1", "before-2", "failed", "after"]


def test_an_error_does_not_wait_for_more_lines(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "COLLECTED_S", 60.0)
    writer = LogWriter(TextFormat(), pipe[1])
    writer.note(ACCESS)
    writer.handle(record("failed"))
    received = b""
    while received.count(b"\n") < 2:  # the test ends by itself only where both are written
        received += os.read(pipe[0], 2**16)
    assert b"failed" in received


def test_a_reader_that_sleeps_blocks_nobody_and_is_told_what_was_lost(pipe: tuple[int, int]) -> None:
    writer = LogWriter(TextFormat(), pipe[1])
    lost_before = writer._lost_in_all._value.get()
    many = 3 * LARGEST_BACKLOG // 512
    began = time.monotonic()
    for _ in range(many):
        writer.note(ACCESS)
    writer.handle(record("failed"))
    assert time.monotonic() - began < 10  # a blocked write would last for ever
    assert writer._bytes <= LARGEST_BACKLOG
    lost = writer._lost_in_all._value.get() - lost_before
    assert lost >= many // 2
    received: list[bytes] = []

    def read() -> None:
        while b"lines of the log were lost" not in b"".join(received[-2:]):
            received.append(os.read(pipe[0], 2**16))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    while reader.is_alive():
        writer.note(ACCESS)  # what is written next tells of the loss
        time.sleep(0.01)
    text = b"".join(received)
    told = sum(int(line.split()[4]) for line in text.splitlines() if b"lines of the log were lost" in line)
    # Further ones may have been lost while the reader was catching up.
    assert lost <= told <= writer._lost_in_all._value.get() - lost_before
    assert text.count(b"/healthz") >= many - lost


def test_a_moment_without_memory_does_not_end_the_log(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(_: Access) -> str:
        raise MemoryError

    form = TextFormat()
    writer = LogWriter(form, pipe[1])
    monkeypatch.setattr(form, "of_access", exhausted)
    writer.note(ACCESS)
    writer.flush()
    monkeypatch.undo()
    writer.note(ACCESS)
    writer.flush()
    assert os.read(pipe[0], 2**16).count(b"\n") == 1


def test_a_reader_that_is_gone_ends_nothing() -> None:
    read, write = os.pipe()
    os.close(read)
    writer = LogWriter(TextFormat(), write)
    before = writer._lost_in_all._value.get()
    writer.handle(record("failed"))
    writer.flush()
    assert writer._lost_in_all._value.get() > before
    writer.handle(record("failed again"))
    writer.flush()
    assert writer._writing.is_alive()
    os.close(write)


def test_a_wrong_record_and_a_long_one_are_lines_as_well(pipe: tuple[int, int]) -> None:
    writer = LogWriter(TextFormat(), pipe[1])
    writer.handle(logging.LogRecord("service", logging.ERROR, "", 0, "%d", ("no number",), None))
    writer.handle(record("x" * 10**6))
    writer.flush()
    first, second = os.read(pipe[0], 2**16).decode().splitlines()
    assert first.endswith("ERROR service: a line of the log cannot be written: TypeError")
    assert second.endswith("xxx... (1000039 characters)")


WORK = """
import logging, os, sys, warnings
from service.telemetry import logs
from service.telemetry.observation import begun, ended
logs.install("info", "json")
ended(begun("rest", "/healthz", "GET"), "200")
logging.getLogger("service").info("%s", "first")
ended(begun("rest", "/healthz", "GET"), "200")
warnings.warn("old")
"""


@pytest.mark.parametrize(
    ("end", "code", "last"),
    [
        ("", 0, "healthz"),
        ("logging.shutdown(); os._exit(3)", 3, "healthz"),
        ("raise RuntimeError('unforeseen')", 1, "unforeseen"),
    ],
)
def test_all_lines_are_there_however_the_process_ends(end: str, code: int, last: str) -> None:
    done = subprocess.run([sys.executable, "-c", WORK + end], capture_output=True, text=True, cwd=Path.cwd())
    lines = done.stderr.splitlines()
    assert done.returncode == code, done.stderr
    assert sum('"route": "/healthz"' in line for line in lines) == 2
    assert sum('"first"' in line for line in lines) == 1
    assert any("old" in line for line in lines)
    assert any(last in line for line in lines)
    assert all(line.startswith("{") for line in lines)


def test_below_info_there_are_no_access_lines() -> None:
    quiet = WORK.replace('install("info"', 'install("warning"')
    done = subprocess.run([sys.executable, "-c", quiet], capture_output=True, text=True, cwd=Path.cwd())
    assert "healthz" not in done.stderr
    assert "old" in done.stderr


DESTROYED_AT_ANY_MOMENT = """
import gc, logging, threading
from service.telemetry import logs
from service.telemetry.observation import begun, ended
logs.install("info", "json")

class Cycle:
    def __init__(self):
        self.itself = self
    def __del__(self):
        logging.info("destroyed")  # as asyncio does, of a task whose error nobody has asked for

def work():
    for _ in range(3000):
        Cycle()
        ended(begun("rest", "/healthz", "GET"), "200")

gc.set_threshold(3)
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_the_garbage_collector_may_log_while_something_is_logged() -> None:
    script = [sys.executable, "-c", DESTROYED_AT_ANY_MOMENT]
    done = subprocess.run(script, capture_output=True, text=True, cwd=Path.cwd(), timeout=30)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "destroyed" in done.stderr
