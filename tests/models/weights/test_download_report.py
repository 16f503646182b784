from __future__ import annotations

import io

from models.weights.download_report import LineReport, TerminalReport


def test_a_log_gets_ten_lines_and_a_terminal_one_that_moves() -> None:
    log, screen = io.StringIO(), io.StringIO()
    for report in (LineReport(log), TerminalReport(screen)):
        for done in range(0, 59_400_001, 66_000):
            report.progress(done, 59_400_000)
        report.say("here")
    lines = log.getvalue().splitlines()
    assert lines[1] == "   10 %  5.9 of 59.4 MB"
    assert len(lines) == 12
    assert screen.getvalue().count("\n") == 1
    assert screen.getvalue().endswith("\r\x1b[Khere\n")
