"""The two formats of the log: text for people, JSON for machines. One line for each record, whatever callers send."""

from __future__ import annotations

import json
import logging
import re
import time
import traceback
from typing import NamedTuple, Protocol

from service.telemetry.escaping import encodable, escaped, word
from service.telemetry.request import observed

_FRAME = re.compile(r'[\s|+]*File "')  # of a traceback: lines of our own source, and no text of callers


class Access(NamedTuple):
    """An ended request, for its line."""

    time_s: float  # since 1970
    transport: str
    method: str
    route: str
    code: str
    seconds: float
    bytes_in: int
    bytes_out: int
    caller: str
    model: str
    request_id: str
    trace_id: str


class LineFormat(Protocol):
    def of_record(self, record: logging.LogRecord) -> str:
        """Returns the line of a record, without its end; of a traceback, several in text."""

    def of_access(self, access: Access) -> str:
        """Returns the line of an ended request, without its end."""


class TextFormat:
    """`2026-01-31 12:00:00,123 INFO service.serving: stopping`, in local time."""

    def __init__(self) -> None:
        self._stamp = (-1, "")  # a second, and its text

    def of_record(self, record: logging.LogRecord) -> str:
        text = f"{self._time(record.created)} {record.levelname} {escaped(f'{record.name}: {record.getMessage()}')}"
        if (request := observed()) is not None:
            text += f" request_id={word(request.id)}"
            if request.trace_id:
                text += f" trace_id={request.trace_id}"
        return "\n    ".join((text, *_trace_of(record)))  # indented, so that none of it looks like the next record

    def of_access(self, access: Access) -> str:
        what = f"{access.method} {access.route}" if access.method else access.route
        text = (
            f"{self._time(access.time_s)} INFO access: {what} {access.code} {1e3 * access.seconds:.1f} ms"
            f" transport={access.transport} in={access.bytes_in} out={access.bytes_out}"
        )
        for name in ("model", "caller", "request_id", "trace_id"):
            if value := getattr(access, name):
                text += f" {name}={word(value)}"
        return text

    def _time(self, time_s: float) -> str:
        second, stamp = self._stamp
        if second != int(time_s):  # local time takes ten times as long as all the rest
            second = int(time_s)
            stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
            self._stamp = second, stamp
        return f"{stamp},{int(1e3 * (time_s - second)):03d}"


class JsonFormat:
    """One object a line, in ASCII, with the time in UTC."""

    def __init__(self) -> None:
        self._stamp = (-1, "")  # a second, and its text

    def of_record(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": self._time(record.created),
            "level": record.levelname.lower(),
            "logger": encodable(record.name),
            "message": encodable(record.getMessage()),
        }
        if (request := observed()) is not None:
            fields["request_id"] = request.id
            if request.trace_id:
                fields["trace_id"] = request.trace_id
        if trace := _trace_of(record):
            fields["exception"] = "\n".join(trace)
        return json.dumps(fields)

    def of_access(self, access: Access) -> str:
        what = f"{access.method} {access.route}" if access.method else access.route
        fields: dict[str, object] = {
            "time": self._time(access.time_s),
            "level": "info",
            "logger": "access",
            "message": f"{what} {access.code}",
            "transport": access.transport,
            "method": access.method,
            "route": access.route,
            "code": access.code,
            "duration_ms": round(1e3 * access.seconds, 1),
            "bytes_in": access.bytes_in,
            "bytes_out": access.bytes_out,
            "caller": encodable(access.caller),
            "model": access.model,
            "request_id": access.request_id,
        }
        if access.trace_id:
            fields["trace_id"] = access.trace_id
        return json.dumps(fields)

    def _time(self, time_s: float) -> str:
        second, stamp = self._stamp
        if second != int(time_s):
            second = int(time_s)
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._stamp = second, stamp
        return f"{stamp}.{int(1e3 * (time_s - second)):03d}Z"


FORMATS: dict[str, type[TextFormat] | type[JsonFormat]] = {"text": TextFormat, "json": JsonFormat}


def _trace_of(record: logging.LogRecord) -> list[str]:
    """Returns the lines of a record's traceback. New lines in the texts of errors are escaped, and make none."""
    parts: list[str] = []
    if record.exc_info and record.exc_info[1] is not None:
        parts += traceback.TracebackException(*record.exc_info, compact=True).format()
    if record.stack_info:
        parts += record.stack_info.splitlines()
    lines: list[str] = []
    for part in parts:
        lines += part.rstrip("\n").split("\n") if _FRAME.match(part) else [part.strip("\n")]
    return [escaped(line) for line in lines if line]
