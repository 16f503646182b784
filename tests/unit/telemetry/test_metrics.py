"""The metrics: their names and their documentation."""

from __future__ import annotations

from pathlib import Path

from service.telemetry.metrics import METRICS

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "monitoring.md"
# Dashboards and alerts ask for them: names do not move.
NAMES = {
    "deephar_batch_size",
    "deephar_certificate_expires_seconds",
    "deephar_frames",
    "deephar_lag_seconds",
    "deephar_log_lines_lost",
    "deephar_model_ready",
    "deephar_pixels_in_work",
    "deephar_ready",
    "deephar_refused",
    "deephar_request_seconds",
    "deephar_requests",
    "deephar_requests_in_flight",
    "deephar_stage_seconds",
    "deephar_streams",
    "deephar_triton_calls",
    "deephar_triton_restarts",
    "deephar_triton_up",
}


def test_names_do_not_move_and_are_documented() -> None:
    kinds = {family.name: family.type for family in METRICS.registry.collect() if family.name.startswith("deephar_")}
    assert kinds.keys() == NAMES
    text = DOCUMENT.read_text()
    for name, kind in kinds.items():
        assert f"`{name}{'_total' if kind == 'counter' else ''}`" in text, name
    assert "`deephar_info`" in text


def test_a_stage_is_looked_up_once() -> None:
    assert METRICS.stage("decode") is METRICS.stage("decode")
