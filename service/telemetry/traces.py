"""Traces by OpenTelemetry, sent over OTLP. Off, it costs neither memory nor time: the SDK is not imported.

Off, a caller's W3C trace context still goes on to Triton, as it came.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from deephar.version import __version__
from fastapi.telemetry import TelemetryConfig
from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, Tracer

from service.bare_url import bare
from service.telemetry.request import observed

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace import Span as SdkSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

log = logging.getLogger(__name__)

EXPORT_TIMEOUT_S = 5.0
LAST_SPANS_S = 1.0  # for spans to be sent when the service stops
PATH = "/v1/traces"


class Traces:
    """The traces of the process."""

    def __init__(self) -> None:
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None

    def start(self, endpoint: str) -> None:
        """Has spans recorded and sent to an OTLP endpoint, as `http://127.0.0.1:4318`."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        url = endpoint if urlsplit(endpoint).path.strip("/") else endpoint.rstrip("/") + PATH
        resource = Resource.create({"service.name": "deephar-serve", "service.version": __version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(_noting())
        exporter = _told_once(OTLPSpanExporter(endpoint=url, timeout=EXPORT_TIMEOUT_S), bare(url))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("deephar-serve", __version__)
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it would tell of each span that is lost

    def stop(self) -> None:
        """Sends the last spans, for a second at most."""
        if self._provider is not None:
            ending = threading.Thread(target=self._provider.shutdown, name="traces end", daemon=True)
            ending.start()
            ending.join(LAST_SPANS_S)
            self._provider = self._tracer = None

    def for_fastapi(self) -> TelemetryConfig:
        """Returns the configuration of FastAPI's own spans. Without it, FastAPI looks for one at each request."""
        config: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
        if self._provider is not None:
            config |= {"tracing": True, "tracer_provider": self._provider, "operation_spans": False}
        return config

    @contextmanager
    def of_call(self, method: str, metadata: Mapping[str, str]) -> Iterator[Span | None]:
        """Returns the context of a gRPC call that is answered; yields its span, where there are traces."""
        if self._tracer is None:
            yield None
            return
        attributes = {"rpc.system": "grpc", "rpc.method": method}
        parent = propagate.extract(metadata)
        with self._tracer.start_as_current_span(
            method, parent, SpanKind.SERVER, attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            yield span

    @property
    def are_on(self) -> bool:
        return self._tracer is not None

    def passed_on(self) -> tuple[tuple[str, str], ...]:
        """Returns the metadata that take the caller's own trace to Triton, while there are none of this service."""
        request = observed()
        return (("traceparent", request.traceparent),) if request is not None and request.traceparent else ()

    @contextmanager
    def of_inference(self, network: str, rows: int) -> Iterator[tuple[tuple[str, str], ...]]:
        """Returns the context of a call to Triton, while there are traces; yields the metadata that take it there."""
        assert self._tracer is not None
        attributes = {"rpc.system": "grpc", "rpc.method": "ModelInfer", "deephar.network": network}
        with self._tracer.start_as_current_span(
            f"ModelInfer {network}", None, SpanKind.CLIENT, attributes, record_exception=False
        ) as span:
            span.set_attribute("deephar.rows", rows)
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            yield tuple(carrier.items())


TRACES = Traces()


def _noting() -> Any:
    """Returns a processor that notes the trace's id with the request, and keeps what callers made up out of spans."""
    from opentelemetry.sdk.trace import SpanProcessor

    class Noting(SpanProcessor):
        def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:  # noqa: ARG002
            if (request := observed()) is None:
                return
            request.trace_id = trace.format_trace_id(span.get_span_context().trace_id)
            if span.attributes is not None and "url.path" in span.attributes:
                span.set_attributes({"url.path": request.route, "url.query": ""})

    return Noting()


def _told_once(exporter: SpanExporter, url: str) -> SpanExporter:
    """Returns the exporter; that its endpoint is away is logged once, until it is back."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class ToldOnce(SpanExporter):
        is_away = False

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            result = exporter.export(spans)
            is_away = result is not SpanExportResult.SUCCESS
            if is_away and not self.is_away:
                log.warning("traces cannot be sent to %s; they are dropped until it answers", url)
            elif self.is_away and not is_away:
                log.info("traces are sent to %s again", url)
            self.is_away = is_away
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

    return ToldOnce()
