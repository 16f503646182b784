"""`deephar top`: what two readings of metrics say of the time between."""

from __future__ import annotations

import pytest
from deephar.cli.load import load_of
from deephar.cli.prometheus import Interval, Reading

BEFORE = """\
# HELP deephar_requests_total Ended requests
deephar_info{version="1.2"} 1.0
deephar_ready 1.0
deephar_requests_total{code="200",model="lite",route="/v1/pose",transport="rest"} 100.0
deephar_requests_total{code="OK",model="lite",route="deephar.v1.InferenceService/EstimatePose",transport="grpc"} 10.0
deephar_requests_total{code="429",model="",route="/v1/pose",transport="rest"} 1.0
deephar_request_seconds_bucket{le="0.1",route="/v1/pose",transport="rest"} 100.0
deephar_request_seconds_bucket{le="0.2",route="/v1/pose",transport="rest"} 100.0
deephar_request_seconds_bucket{le="+Inf",route="/v1/pose",transport="rest"} 100.0
deephar_stage_seconds_sum{stage="admission"} 1.0
deephar_stage_seconds_count{stage="admission"} 100.0
"""
AFTER = """\
deephar_info{version="1.2"} 1.0
deephar_ready 1.0
deephar_requests_total{code="200",model="lite",route="/v1/pose",transport="rest"} 116.0
deephar_requests_total{code="OK",model="lite",route="deephar.v1.InferenceService/EstimatePose",transport="grpc"} 14.0
deephar_requests_total{code="429",model="",route="/v1/pose",transport="rest"} 5.0
deephar_requests_total{code="200",model="",route="/metrics",transport="rest"} 90.0
deephar_request_seconds_bucket{le="0.1",route="/v1/pose",transport="rest"} 110.0
deephar_request_seconds_bucket{le="0.2",route="/v1/pose",transport="rest"} 120.0
deephar_request_seconds_bucket{le="+Inf",route="/v1/pose",transport="rest"} 120.0
deephar_stage_seconds_sum{stage="admission"} 1.4
deephar_stage_seconds_count{stage="admission"} 120.0
deephar_requests_in_flight{transport="rest"} 2.0
deephar_requests_in_flight{transport="grpc"} 1.0
deephar_triton_up{address="a:8001"} 1.0
deephar_triton_up{address="b:8001"} 0.0
deephar_model_ready{model="lite",version="1"} 1.0
deephar_model_ready{model="penn",version="2"} 0.0
not a sample
deephar_odd{a="x"} many
"""
GPU = """\
nv_gpu_utilization{gpu_uuid="GPU-1"} 0.5
nv_gpu_memory_used_bytes{gpu_uuid="GPU-1"} 1073741824.0
nv_gpu_memory_total_bytes{gpu_uuid="GPU-1"} 2147483648.0
"""


@pytest.fixture
def interval() -> Interval:
    return Interval(Reading(BEFORE, 10.0), Reading(AFTER, 14.0))


def test_the_figures_of_an_interval(interval: Interval) -> None:
    load = load_of(interval, Reading(GPU))
    pictures = load["requests"]["pictures"]
    assert pictures["per_s"] == 6.0  # 24 in 4 s, over both transports, without those for metrics
    assert pictures["errors_per_s"] == 1.0
    assert pictures["p50_ms"] == pytest.approx(100.0)
    assert pictures["p95_ms"] == pytest.approx(190.0)
    assert load["queue_ms"] == pytest.approx(20.0)
    assert load["in_flight"] == 3
    assert load["triton"] == {"a:8001": True, "b:8001": False}
    assert load["models"] == {"lite:1": True, "penn:2": False}
    assert load["gpus"] == [
        {"gpu": "GPU-1", "utilization": 0.5, "memory_used_bytes": 2.0**30, "memory_total_bytes": 2.0**31}
    ]
    assert (load["version"], load["ready"]) == ("1.2", True)


def test_nothing_happened(interval: Interval) -> None:
    load = load_of(Interval(interval.after, interval.after), Reading(""))
    assert load["requests"]["pictures"] == {"per_s": 0.0, "errors_per_s": 0.0, "p50_ms": None, "p95_ms": None}
    assert load["queue_ms"] is None
    assert load["gpus"] == []


def test_a_process_that_started_anew_counts_from_nothing(interval: Interval) -> None:
    load = load_of(Interval(Reading(AFTER, 10.0), Reading(BEFORE, 14.0)), Reading(""))
    assert load["requests"]["pictures"]["per_s"] == 0.0
    assert load["requests"]["pictures"]["p95_ms"] is None


def test_what_is_slower_than_every_bucket(interval: Interval) -> None:
    slow = Reading(
        AFTER.replace('le="+Inf",route="/v1/pose",transport="rest"} 120', 'le="+Inf",route="/v1/pose"} 200'), 14
    )
    assert load_of(Interval(interval.before, slow), Reading(""))["requests"]["pictures"]["p95_ms"] == 200.0
