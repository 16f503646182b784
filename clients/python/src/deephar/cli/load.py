"""What the service's metrics say of its work, as `deephar top` shows it."""

from __future__ import annotations

from typing import Any

from deephar.cli.prometheus import Interval, Labels, Reading

_SERVICE = "deephar.v1.InferenceService/"
KINDS = {
    "pictures": ("/v1/pose", f"{_SERVICE}EstimatePose"),
    "videos": ("/v1/actions", f"{_SERVICE}ClassifyClip"),
    "streams": ("/v1/stream", f"{_SERVICE}StreamVideo"),
}
WELL = ("200", "101", "1000", "OK")


def load_of(interval: Interval, triton: Reading) -> dict[str, Any]:
    """Returns the figures of one interval. Times are in milliseconds; None: there were none.

    Args:
        interval: Two readings of `/metrics`.
        triton: Of `/metrics/triton`; empty where it has none.
    """
    now = interval.after
    return {
        "version": next((sample.labels.get("version", "") for sample in now.samples("deephar_info")), ""),
        "ready": bool(now.sum("deephar_ready")),
        "requests": {kind: _requests(interval, routes) for kind, routes in KINDS.items()},
        "in_flight": int(now.sum("deephar_requests_in_flight")),
        "refused_per_s": interval.rate("deephar_refused_total"),
        "queue_ms": _ms(interval.mean("deephar_stage_seconds", lambda labels: labels.get("stage") == "admission")),
        "streams": int(now.sum("deephar_streams")),
        "frames_per_s": _frames(interval, "received"),
        "dropped_per_s": _frames(interval, "dropped"),
        "lag_ms": _ms(interval.mean("deephar_lag_seconds")),
        "triton": {sample.labels.get("address", ""): bool(sample.value) for sample in now.samples("deephar_triton_up")},
        "triton_restarts": int(now.sum("deephar_triton_restarts_total")),
        "models": {_model(sample.labels): bool(sample.value) for sample in now.samples("deephar_model_ready")},
        "gpus": _gpus(triton),
    }


def _requests(interval: Interval, routes: tuple[str, ...]) -> dict[str, float | None]:
    def ours(labels: Labels) -> bool:
        return labels.get("route") in routes

    p50, p95 = interval.quantiles("deephar_request_seconds", (0.5, 0.95), ours)
    name = "deephar_requests_total"
    return {
        "per_s": interval.rate(name, ours),
        "errors_per_s": interval.rate(name, lambda labels: ours(labels) and labels.get("code") not in WELL),
        "p50_ms": _ms(p50),
        "p95_ms": _ms(p95),
    }


def _frames(interval: Interval, outcome: str) -> float:
    return interval.rate("deephar_frames_total", lambda labels: labels.get("outcome") == outcome)


def _model(labels: Labels) -> str:
    return f"{labels.get('model', '')}:{labels.get('version', '')}"


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _gpus(triton: Reading) -> list[dict[str, Any]]:
    """Returns the GPUs that Triton has, with the share of time that they work and their memory."""
    used = {_gpu(sample.labels): sample.value for sample in triton.samples("nv_gpu_memory_used_bytes")}
    total = {_gpu(sample.labels): sample.value for sample in triton.samples("nv_gpu_memory_total_bytes")}
    return [
        {
            "gpu": (gpu := _gpu(sample.labels)),
            "utilization": sample.value,
            "memory_used_bytes": used.get(gpu),
            "memory_total_bytes": total.get(gpu),
        }
        for sample in triton.samples("nv_gpu_utilization")
    ]


def _gpu(labels: Labels) -> str:
    return " ".join(part for part in (labels.get("address", ""), labels.get("gpu_uuid", "")) if part)
