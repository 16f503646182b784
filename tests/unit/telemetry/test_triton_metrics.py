"""Triton's metrics: several servers in one text that Prometheus can read, and servers that are away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.errors import Unavailable
from service.telemetry.triton_metrics import LARGEST, TritonMetrics, merged
from tests.http_serving import serving_http

TEXT = """# HELP nv_inference_count Number of inferences
# TYPE nv_inference_count counter
nv_inference_count{model="lite_frame",version="1"} 3
nv_inference_count{model="person",version="1"} 4
# HELP nv_cpu_utilization CPU utilization rate
# TYPE nv_cpu_utilization gauge
nv_cpu_utilization 0.25
"""


@contextmanager
def triton(body: bytes, status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with serving_http(Handler) as url:
        yield f"{url}/metrics"


def test_several_are_one_text_with_each_metric_once() -> None:
    families = list(text_string_to_metric_families(merged({"a:8002": TEXT, 'b"\\': TEXT})))
    assert [family.name for family in families] == ["nv_inference_count", "nv_cpu_utilization"]
    counts = {(s.labels["address"], s.labels["model"]): s.value for s in families[0].samples}
    assert counts == {
        ("a:8002", "lite_frame"): 3,
        ("a:8002", "person"): 4,
        ('b"\\', "lite_frame"): 3,
        ('b"\\', "person"): 4,
    }
    assert families[0].documentation == "Number of inferences"
    assert [sample.labels for sample in families[1].samples] == [{"address": "a:8002"}, {"address": 'b"\\'}]


def test_one_that_is_away_does_not_hide_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # which is not asked
    with triton(TEXT.encode()) as url, triton(b"", 500) as broken:
        text = asyncio.run(TritonMetrics.of_setting(f"{url}, http://127.0.0.1:9/metrics,{broken}").read())
    port = url.split(":")[2].split("/")[0]
    assert f'nv_cpu_utilization{{address="127.0.0.1:{port}"}} 0.25' in text
    assert "127.0.0.1:9" not in text


def test_what_may_be_secret_in_a_url_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(Unavailable):
        asyncio.run(TritonMetrics.of_setting("http://hush:geheim@127.0.0.1:9/metrics?token=geheim").read())
    assert "the metrics of the Triton at 127.0.0.1:9 cannot be read" in caplog.text
    assert "geheim" not in caplog.text


@pytest.mark.parametrize("body", [b"x" * (LARGEST + 1), b"\xff"])
def test_what_is_no_text_of_metrics_is_not_passed_on(body: bytes) -> None:
    with triton(body) as url, pytest.raises(Unavailable):
        asyncio.run(TritonMetrics.of_setting(url).read())


@pytest.mark.parametrize("setting", ["", "http://127.0.0.1:9/metrics"])
def test_without_any_the_caller_is_told(setting: str) -> None:
    with pytest.raises(Unavailable, match="metrics"):
        asyncio.run(TritonMetrics.of_setting(setting).read())
