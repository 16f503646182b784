from __future__ import annotations

import re

import pytest

from service.telemetry.request import id_from, trace_of

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize("sent", ["a", "order 66/b", "~" * 128, " "])
def test_a_callers_id_is_kept(sent: str) -> None:
    assert id_from(sent) == sent


@pytest.mark.parametrize("sent", [None, "", "a" * 129, "a\n", "a\r\nb", "\x1b[31m", "é", "\x7f", "a\u2028"])
def test_any_other_is_made_anew(sent: str | None) -> None:
    made = id_from(sent)
    assert re.fullmatch("[0-9a-f]{16}", made)
    assert made != id_from(sent)


@pytest.mark.parametrize("sent", [f"00-{TRACE}-b7ad6b7169203331-01", f"cc-{TRACE}-b7ad6b7169203331-01-what-comes"])
def test_a_trace_context(sent: str) -> None:
    assert trace_of(sent) == (sent, TRACE)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        TRACE,
        f"00-{TRACE.upper()}-b7ad6b7169203331-01",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-b7ad6b7169203331-01\n",
        f"cc-{TRACE}-b7ad6b7169203331-01-{'x' * 200}",
        f"cc-{TRACE}-b7ad6b7169203331-01-é",  # gRPC, over which it goes on, takes ASCII that can be seen
        f"cc-{TRACE}-b7ad6b7169203331-01-\t",
    ],
)
def test_what_is_none(sent: str | None) -> None:
    assert trace_of(sent) == ("", "")
