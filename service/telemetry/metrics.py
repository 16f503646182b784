"""The service's counters, gauges and histograms, which `/metrics` shows.

No label holds what a caller made up: unknown routes are `other`, and the model is the one that answers. Who counts
often keeps the child, as `METRICS.frames.labels("dropped")`: to look it up takes longer than to count.
"""

from __future__ import annotations

from functools import cache

from deephar.version import __version__
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.process_collector import ProcessCollector

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
STAGE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = (1, 2, 4, 8, 16, 32, 64)

disable_created_metrics()  # type: ignore[no-untyped-call] # of when each was made: twice the lines, and nobody asks


class Metrics:
    """All of them, by their names without `deephar_` and `_total`, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"deephar_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"deephar_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"deephar_{name}", text, labels, registry=registry, buckets=buckets)

        self.requests = counter("requests", "Ended requests", "transport", "route", "model", "code")
        self.request_seconds = histogram(
            "request_seconds", "From a request's headers to the end of its answer", SECONDS, "transport", "route"
        )
        self.requests_in_flight = gauge("requests_in_flight", "Requests that have not ended", "transport")
        self.stage_seconds = histogram("stage_seconds", "Steps of requests, once each time", STAGE_SECONDS, "stage")
        self.refused = counter("refused", "Requests that were refused before any work", "reason")

        self.pixels_in_work = gauge("pixels_in_work", "Decoded pixels of pictures that are not answered yet")
        self.streams = gauge("streams", "Videos in work, streamed or uploaded")
        self.frames = counter("frames", "Frames of live streams: received, dropped for later ones, unusable", "outcome")
        self.lag_seconds = histogram("lag_seconds", "From a frame's arrival to its turn", STAGE_SECONDS)

        self.batch_size = histogram("batch_size", "Rows of one call to Triton", ROWS, "network")
        self.triton_calls = counter("triton_calls", "Inferences that Triton was asked for", "network", "code")
        self.triton_up = gauge("triton_up", "Whether a Triton answers", "address")
        self.triton_restarts = counter("triton_restarts", "Starts of the embedded Triton after its first")
        self.model_ready = gauge("model_ready", "Whether a model can answer", "model", "version")
        self.ready = gauge("ready", "Whether /readyz says that the service is ready")
        self.certificate_expires_seconds = gauge(
            "certificate_expires_seconds", "When a certificate expires, in UNIX time", "certificate"
        )
        self.log_lines_lost = counter("log_lines_lost", "Lines of the log that nobody read in time")
        Info("deephar", "The service", registry=registry).info({"version": __version__})

        self.stage = cache(self.stage_seconds.labels)


METRICS = Metrics()
