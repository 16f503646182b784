"""The settings of the service: the list of all, and what they must be together. `configuration.py` reads them."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "DEEPHAR_"

_LARGEST_MESSAGE = 2**31 - 1  # bytes: gRPC counts in 32 bits
_FORM_OVERHEAD = 2**20  # bytes of a form besides its file
_BASE64_GROWTH = 1.4
_MESSAGE_OVERHEAD = 2**16
_BYTES_A_PIXEL = 3  # of a raw frame

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(le=1_000_000)]  # more than a week; timers overflow somewhere beyond

# What callers may run into: `GET /v1/limits` shows these.
LIMITS = (
    "max_image_bytes",
    "max_image_pixels",
    "max_video_bytes",
    "max_video_seconds",
    "max_pictures",
    "max_frames",
    "max_boxes",
    "tiles",
    "max_people",
    "max_requests",
    "max_streams",
    "bulk_in_flight",
    "max_pixels_in_work",
    "max_video_pixels",
    "stream_queue_frames",
    "stream_queue_bytes",
    "max_header_bytes",
    "max_message_fields",
    "max_text_bytes",
    "max_questions",
    "max_connection_calls",
    "inference_timeout_s",
    "turn_timeout_s",
    "header_timeout_s",
    "body_timeout_s",
    "min_rate",
    "linger_s",
    "linger_bytes",
    "write_timeout_s",
    "keep_alive_s",
    "grpc_idle_s",
    "stream_idle_s",
    "shutdown_grace_s",
)


class Fault(NamedTuple):
    """Settings that are right one by one and wrong together."""

    names: tuple[str, ...]
    text: str


class WrongTogether(ValueError):
    """All such faults of some settings."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(fault.text for fault in faults))
        self.faults = faults


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,  # compose passes on variables that are empty
        allow_inf_nan=False,
        str_strip_whitespace=True,
        frozen=True,
    )

    host: str = Field("127.0.0.1", description="address that REST and gRPC listen on")
    http_port: Port = Field(8080, description="port of REST and WebSockets")
    grpc_port: Port = Field(8081, description="port of gRPC")
    published_host: str = Field("", description="address that a container's ports are published on, where it is one")
    insecure: bool = Field(False, description="whether others may use the service without keys, at a public address")

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    access_log: bool = Field(True, description="one line for each request")
    metrics_host: str = Field("127.0.0.1", description="address of `metrics_port`")
    metrics_port: int = Field(0, ge=0, le=65535, description="of /metrics alone, without keys; 0: only with REST")
    otlp_endpoint: str = Field("", description="where traces go, as http://127.0.0.1:4318; empty: there are none")

    keys: Path | None = Field(None, description="TOML file of callers' API keys, hashed; read again when it changes")
    key_rate: str = Field("", description="requests of a caller whose key has no limit of its own, as `600/minute`")
    key_concurrency: int = Field(0, ge=0, description="requests of such a caller at a time; 0: as many as there are")
    key_streams: int = Field(0, ge=0, description="videos of such a caller at a time; 0: as many as there are")
    jwt_jwks: str = Field("", description="file or URL of the keys that sign callers' tokens; empty: none are taken")
    jwt_issuer: str = Field("", description="`iss` that tokens must have")
    jwt_audience: str = Field("", description="`aud` that tokens must have")
    tls_certificate: Path | None = Field(None, description="PEM chain for REST and gRPC; read again when it changes")
    tls_key: Path | None = Field(None, description="its private key")
    grpc_client_ca: Path | None = Field(None, description="PEM of who signs the certificates of gRPC clients")

    triton_url: str = Field("", description="host:port of a Triton's gRPC, several by commas; empty: one is started")
    triton_metrics_url: str = Field("", description="URL of that Triton's metrics, several by commas")
    engines: Path | None = Field(None, description="where engines for GPUs are built, for /readyz to tell how far")
    triton_env: Path = Field(ROOT / ".venv-triton", description="environment with nvidia-pytriton and OpenVINO")
    model_repository: Path = Field(ROOT / "model_repository", description="of the embedded Triton")
    backend: Literal["native", "python"] = Field("native", description="of the embedded Triton")
    precision: Literal["auto", "bf16", "fp32"] = Field("auto", description="of the embedded Triton's networks")
    default_model: str = "lite"
    catalogue_poll_s: Seconds = Field(2.0, gt=0, description="how often Triton is asked which models it has")
    inference_timeout_s: Seconds = Field(30.0, gt=0, description="for one inference")

    cors_origins: str = Field("", description="origins of pages that may use REST, by commas; `*`: any; empty: none")

    max_image_bytes: int = Field(20 * 2**20, gt=0, description="of a picture, or of an encoded frame")
    max_image_pixels: int = Field(64_000_000, gt=0, description="largest picture; phones make 50 megapixels")
    max_video_bytes: int = Field(256 * 2**20, gt=0, description="of an uploaded video")
    max_video_seconds: Seconds = Field(300.0, gt=0, description="of an uploaded video")
    max_pictures: int = Field(16, gt=0, description="pictures in one request")
    max_frames: int = Field(1000, gt=1, description="frames in one request that sends a clip as frames")
    max_boxes: int = Field(64, gt=0, description="boxes in one request, or in a frame")
    tiles: int = Field(24, ge=0, le=31, description="most tiles of a large picture in which people are looked for")
    max_people: int = Field(64, gt=0, description="largest number of people in a picture, or of tracks in a video")
    max_requests: int = Field(32, gt=0, description="concurrent picture requests; further ones are refused")
    max_streams: int = Field(16, gt=0, description="concurrent videos, streamed or uploaded; further ones are refused")
    bulk_in_flight: int = Field(
        4, gt=0, description="inferences at a time of uploaded videos and many pictures at once"
    )
    max_pixels_in_work: int = Field(64_000_000, gt=0, description="pixels of decoded pictures; further ones wait")
    max_video_pixels: int = Field(64_000_000, gt=0, description="sum of the frame sizes of uploaded videos in work")
    stream_queue_frames: int = Field(8, gt=0, description="frames in the queue of a stream")
    stream_queue_bytes: int = Field(32 * 2**20, gt=0, description="bytes in the queue of a stream, or one larger frame")
    max_header_bytes: int = Field(64 * 2**10, gt=0, description="of one HTTP request, request line included")
    max_message_fields: int = Field(10_000, gt=0, description="fields of one gRPC message on the wire")
    max_text_bytes: int = Field(64 * 2**10, gt=0, description="of a WebSocket's text message")
    max_questions: int = Field(256, gt=0, description="concurrent calls of each small gRPC method, as health")
    max_connection_calls: int = Field(1_000, gt=0, le=2**31 - 1, description="concurrent calls on one gRPC connection")

    turn_timeout_s: Seconds = Field(
        120.0, gt=0, description="for a large picture's turn, while others are in work; after it, it is refused"
    )
    header_timeout_s: Seconds = Field(
        10.0, gt=0, description="for an HTTP request's headers, or a gRPC stream's config"
    )
    body_timeout_s: Seconds = Field(20.0, gt=0, description="without progress of a body, and for its first 200 kB")
    min_rate: int = Field(10_000, gt=0, description="bytes a second of a body or an answer, after its first time-out")
    linger_s: Seconds = Field(5.0, ge=0, description="in which the rest of an unwanted body is discarded")
    linger_bytes: int = Field(64 * 2**20, ge=0, description="of the rest of an unwanted body")
    write_timeout_s: Seconds = Field(20.0, gt=0, description="without a reader for an answer")
    keep_alive_s: Seconds = Field(5.0, gt=0, description="of an HTTP connection without a request")
    grpc_idle_s: Seconds = Field(300.0, gt=0, description="of a gRPC connection without a call")
    stream_idle_s: Seconds = Field(60.0, gt=0, description="without a frame in a live stream")
    workers: int = Field(min(8, (os.cpu_count() or 2) + 2), gt=0, description="threads for decoding and drawing")
    drain_s: Seconds = Field(0.0, ge=0, description="in which a service that stops says so and still takes requests")
    shutdown_grace_s: Seconds = Field(5.0, ge=0, description="time for running requests to end when the service stops")

    @property
    def triton_urls(self) -> tuple[str, ...]:
        """host:port of each Triton; none where one is started."""
        return _parts(self.triton_url)

    @property
    def origins(self) -> tuple[str, ...]:
        """Origins of the pages that may use REST and WebSockets."""
        return _parts(self.cors_origins)

    @property
    def max_body_bytes(self) -> int:
        """Of a request with a picture, and of JSON."""
        return int(_BASE64_GROWTH * self.max_image_bytes) + _FORM_OVERHEAD

    @property
    def max_video_body_bytes(self) -> int:
        """Of a request with a video."""
        return int(_BASE64_GROWTH * self.max_video_bytes) + _FORM_OVERHEAD

    @property
    def max_message_bytes(self) -> int:
        """Of a message of gRPC or of a WebSocket. Pictures over their own limit are refused one by one below that."""
        return self.max_image_bytes + _BYTES_A_PIXEL * self.max_image_pixels + _MESSAGE_OVERHEAD

    @field_validator("triton_url")
    @classmethod
    def _is_addresses(cls, value: str) -> str:
        for address in _parts(value):
            host, _, port = address.rpartition(":")
            if not host or "/" in host or not port.isdecimal() or not 1 <= int(port[:6]) <= 65535:
                raise ValueError("must be host:port of a Triton's gRPC without http://, several by commas")
        return value if _parts(value) else ""

    @field_validator("triton_metrics_url", "otlp_endpoint")
    @classmethod
    def _is_urls(cls, value: str) -> str:
        if not all(_is_url(url) for url in _parts(value)):
            raise ValueError("must be a URL that begins with http:// or https://")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _is_origins(cls, value: str) -> str:
        for origin in _parts(value):
            if origin not in ("*", "null") and not (_is_url(origin) and origin.count("/") == 2):
                raise ValueError("must be origins as https://example.org, without a path, several by commas; or *")
        return value

    @model_validator(mode="after")
    def _are_right_together(self) -> Settings:
        if faults := list(self._faults()):
            raise WrongTogether(faults)
        return self

    def _faults(self) -> Iterator[Fault]:
        yield from self._faults_of_ports()
        yield from self._faults_of_access()
        if self.max_message_bytes > _LARGEST_MESSAGE:
            yield Fault(
                ("max_image_bytes", "max_image_pixels"),
                "DEEPHAR_MAX_IMAGE_BYTES and three times DEEPHAR_MAX_IMAGE_PIXELS must be less than 2 GiB together, "
                "which is what a gRPC message can be",
            )

    def _faults_of_ports(self) -> Iterator[Fault]:
        ports = {name: getattr(self, name) for name in ("http_port", "grpc_port", "metrics_port")}
        for first, second in (("http_port", "grpc_port"), ("http_port", "metrics_port"), ("grpc_port", "metrics_port")):
            if ports[first] == ports[second]:
                yield Fault((first, second), f"{variable_of(first)} and {variable_of(second)} must differ")

    def _faults_of_access(self) -> Iterator[Fault]:
        if (self.tls_certificate is None) != (self.tls_key is None):
            yield Fault(
                ("tls_certificate", "tls_key"), "DEEPHAR_TLS_CERTIFICATE and DEEPHAR_TLS_KEY need each other; set both"
            )
        if self.grpc_client_ca is not None and self.tls_certificate is None:
            yield Fault(
                ("grpc_client_ca", "tls_certificate"),
                "DEEPHAR_GRPC_CLIENT_CA needs TLS; set DEEPHAR_TLS_CERTIFICATE and DEEPHAR_TLS_KEY too",
            )
        tokens = ("jwt_jwks", "jwt_issuer", "jwt_audience")
        missing = [variable_of(name) for name in tokens if not getattr(self, name)]
        if 0 < len(missing) < len(tokens):
            yield Fault(tokens, f"tokens need a key set, an issuer and an audience; set {' and '.join(missing)} too")
        name = "published_host" if self.published_host else "host"
        address = getattr(self, name)
        if not (_is_loopback(address) or self.insecure or self.keys or self.jwt_jwks):
            yield Fault(
                (name, "host", "keys", "jwt_jwks", "insecure"),
                f"{variable_of(name)}={address} lets others use the service, and it asks for no key. Set DEEPHAR_KEYS "
                "(deephar-serve --new-key NAME makes a key) or DEEPHAR_JWT_JWKS, or take 127.0.0.1. "
                "DEEPHAR_INSECURE=1 serves everybody who can reach it",
            )


def variable_of(name: str) -> str:
    """Returns the environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port that is none
        return False


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
