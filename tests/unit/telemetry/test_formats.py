"""Lines of the log: whatever callers send, one record is one line, and JSON is JSON."""

from __future__ import annotations

import contextvars
import json
import logging
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.telemetry.escaping import escaped, word
from service.telemetry.formats import Access, JsonFormat, LineFormat, TextFormat
from service.telemetry.request import ObservedRequest, become

FORGED = "fine\r\n2026-01-31 12:00:00,000 INFO access: POST /v1/pose 200\x1b[2J\u2028\u2029\x85\ud800\u202e\x9b"
STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")
anything = st.text(st.characters(exclude_categories=[]))


def record(text: str, *values: object, error: BaseException | None = None) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error is not None else None
    return logging.LogRecord("service.somewhere", logging.WARNING, "", 0, text, values, exc_info)


def access(**fields: str) -> Access:
    known = {"caller": "", "model": "lite", "request_id": "abc", "trace_id": ""} | fields
    return Access(1e9 + 0.25, "rest", "POST", "/v1/pose", "200", 0.0123, 45599, 2590, **known)


def is_harmless(line: str) -> bool:
    line.encode()  # no lone surrogates
    return not any(unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs") for character in line)


@pytest.mark.parametrize("form", [TextFormat(), JsonFormat()])
@given(text=anything)
def test_a_record_is_one_harmless_line(form: LineFormat, text: str) -> None:
    for line in (form.of_record(record("%s", text)), form.of_access(access(caller=text))):
        assert is_harmless(line)
        if isinstance(form, JsonFormat):
            assert json.loads(line)["level"] in ("info", "warning")
        else:
            assert STAMP.match(line)


def test_what_callers_send_is_escaped() -> None:
    line = TextFormat().of_record(record("no model %s", FORGED))
    assert line.endswith(
        r"WARNING service.somewhere: no model fine\r\n2026-01-31 12:00:00,000 INFO access: POST /v1/pose 200"
        r"\x1b[2J\u2028\u2029\x85\ud800\u202e\x9b"
    )
    assert escaped("Zürich, 東京: 100 %") == "Zürich, 東京: 100 %"


def test_a_value_in_text_is_one_word() -> None:
    line = TextFormat().of_access(access(caller='x model=mpii "', request_id="a b"))
    assert line.endswith(r'in=45599 out=2590 model=lite caller="x model=mpii \"" request_id="a b"')
    assert "INFO access: POST /v1/pose 200 12.3 ms transport=rest" in line
    assert word("camera-7") == "camera-7"


def test_an_access_line_in_json() -> None:
    assert json.loads(JsonFormat().of_access(access(caller="camera-7", trace_id="ab" * 16))) == {
        "time": "2001-09-09T01:46:40.250Z",
        "level": "info",
        "logger": "access",
        "message": "POST /v1/pose 200",
        "transport": "rest",
        "method": "POST",
        "route": "/v1/pose",
        "code": "200",
        "duration_ms": 12.3,
        "bytes_in": 45599,
        "bytes_out": 2590,
        "caller": "camera-7",
        "model": "lite",
        "request_id": "abc",
        "trace_id": "ab" * 16,
    }


def failed(text: str) -> BaseException:
    try:
        try:
            raise ValueError(text)
        except ValueError as error:
            raise RuntimeError(f"outer {text}") from error
    except RuntimeError as error:
        error.add_note(f"note {text}")
        return error


def test_a_traceback_has_its_own_lines_and_none_of_callers() -> None:
    first, *rest = TextFormat().of_record(record("failed", error=failed(FORGED))).split("\n")
    assert first.endswith("WARNING service.somewhere: failed")
    assert "    Traceback (most recent call last):" in rest
    assert any(line.startswith('      File "') for line in rest)
    assert any(line.startswith(r"    ValueError: fine\r\n2026") for line in rest)
    assert not any(STAMP.match(line) for line in rest)
    assert all(is_harmless(line) for line in rest)


def test_a_group_of_errors_cannot_forge_either() -> None:
    group = ExceptionGroup(FORGED, [ValueError(FORGED), KeyError(FORGED)])
    lines = TextFormat().of_record(record("failed", error=group)).split("\n")
    assert not any(STAMP.match(line) for line in lines[1:])
    assert all(is_harmless(line) for line in lines)


def test_a_traceback_in_json_is_a_field() -> None:
    document = json.loads(JsonFormat().of_record(record("failed", error=failed(FORGED))))
    assert document["exception"].startswith("Traceback (most recent call last):\n  File ")
    assert r"ValueError: fine\r\n2026" in document["exception"]


@pytest.mark.parametrize("form", [TextFormat(), JsonFormat()])
def test_a_line_names_its_request(form: LineFormat) -> None:
    def line() -> str:
        become(ObservedRequest("abc", "/v1/pose", trace_id="cd" * 16))
        return form.of_record(record("a warning"))

    told = contextvars.copy_context().run(line)
    expected = (
        'request_id": "abc", "trace_id": "cdcd' if isinstance(form, JsonFormat) else "request_id=abc trace_id=cdcd"
    )
    assert expected in told
    assert "request_id" not in form.of_record(record("a warning"))


def test_times_are_right_over_seconds() -> None:
    form = JsonFormat()
    for second in (0, 1, 0, 2):
        line = form.of_access(access()._replace(time_s=1e9 + second + 0.75))
        assert json.loads(line)["time"] == f"2001-09-09T01:46:4{second}.750Z"
