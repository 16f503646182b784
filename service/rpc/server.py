"""The gRPC server: `deephar.v1.InferenceService`, health and reflection."""

from __future__ import annotations

import grpc
from grpc_reflection.v1alpha import reflection

from service.access.access import Access
from service.certificates import Certificates
from service.pipeline.pipeline import Pipeline
from service.pipeline.readiness import Readiness
from service.rpc.access import KINDS, guarded
from service.rpc.calls import Handler
from service.rpc.observed import observing
from service.rpc.questions import HEALTH, Health, Reflection
from service.rpc.servicer import SERVICE, InferenceServicer
from service.stopping import Stopping

# The messages of v1 are those of v1alpha, which the library has alone.
_REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"
_OPTIONS = [
    ("grpc.so_reuseport", 0),  # a second service on this port must fail, not share it
    # A message of 1 MB can hold 1 GB in gzip, and gRPC inflates it whole: only plain messages are taken.
    ("grpc.compression_enabled_algorithms_bitset", 1),
    # A peer whose network is gone is noticed within half a minute. Clients may ping every 5 s.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
]


class GrpcServer:
    """Serves all gRPC services on `DEEPHAR_GRPC_PORT`, from `start` to `stop`."""

    def __init__(
        self,
        pipeline: Pipeline,
        readiness: Readiness,
        stopping: Stopping,
        access: Access,
        certificates: Certificates | None = None,
    ) -> None:
        settings = pipeline.settings
        self._settings, self._access, self._certificates = settings, access, certificates
        self._server = grpc.aio.server(
            options=[
                *_OPTIONS,
                ("grpc.max_connection_idle_ms", round(1e3 * settings.grpc_idle_s)),
                ("grpc.max_concurrent_streams", settings.max_connection_calls),
                ("grpc.max_receive_message_length", settings.max_message_bytes),
                ("grpc.max_send_message_length", settings.max_message_bytes),
                ("grpc.server_handshake_timeout_ms", round(1e3 * settings.header_timeout_s)),
            ],
        )
        names = (SERVICE, HEALTH, reflection.SERVICE_NAME)
        reflecting = Reflection(names, settings).handlers()
        self._services = {
            SERVICE: InferenceServicer(pipeline, stopping).handlers(),
            HEALTH: Health(readiness, stopping, (SERVICE,), settings).handlers(),
            reflection.SERVICE_NAME: reflecting,
            _REFLECTION_V1: reflecting,
        }

    async def start(self) -> None:
        self._server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(name, self._wrapped(name, handlers))
                for name, handlers in self._services.items()
            ]
        )
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        address = f"{host}:{self._settings.grpc_port}"
        if self._certificates is None:
            self._server.add_insecure_port(address)
        else:
            self._server.add_secure_port(address, self._certificates.grpc_credentials())
        await self._server.start()

    def _wrapped(self, service: str, handlers: dict[str, Handler]) -> dict[str, Handler]:
        """Returns the handlers of a service, observed and, but for health, behind the check of keys and tokens."""
        if service != HEALTH:
            handlers = {name: guarded(handler, self._access, KINDS.get(name)) for name, handler in handlers.items()}
        return {name: observing(f"{service}/{name}", handler) for name, handler in handlers.items()}

    async def stop(self, grace_s: float) -> None:
        """Refuses new calls, and cancels those that have not ended after the grace. A second call ends them at once."""
        await self._server.stop(grace_s)
