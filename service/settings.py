"""Settings of the service, read once from environment variables `DEEPHAR_*`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="DEEPHAR_", frozen=True)

    host: str = Field("127.0.0.1", description="address that REST and gRPC listen on")
    http_port: int = Field(8080, ge=1, le=65535)
    grpc_port: int = Field(8081, ge=1, le=65535)
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
    catalogue_poll_s: float = Field(2.0, gt=0, description="how often Triton is asked which models it has")
    inference_timeout_s: float = Field(30.0, gt=0)

    cors_origins: str = Field("", description="origins of pages that may use REST, by commas; `*`: any; empty: none")

    max_image_bytes: int = Field(20 * 2**20, gt=0)
    max_image_pixels: int = Field(64_000_000, gt=0, description="largest picture; phones make 50 megapixels")
    max_video_bytes: int = Field(256 * 2**20, gt=0)
    max_video_seconds: float = Field(300.0, gt=0)
    max_pictures: int = Field(16, gt=0, description="pictures in one request")
    max_frames: int = Field(1000, gt=1, description="frames in one request that sends a clip as frames")
    max_boxes: int = Field(64, gt=0)
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
    max_connection_calls: int = Field(1_000, gt=0, description="concurrent calls on one gRPC connection")

    header_timeout_s: float = Field(10.0, gt=0, description="for an HTTP request's headers, or a gRPC stream's config")
    body_timeout_s: float = Field(20.0, gt=0, description="without progress of a body, and for its first 200 kB")
    min_rate: int = Field(10_000, gt=0, description="bytes a second of a body or an answer, after its first time-out")
    linger_s: float = Field(5.0, ge=0, description="in which the rest of an unwanted body is discarded")
    linger_bytes: int = Field(64 * 2**20, ge=0, description="of the rest of an unwanted body")
    write_timeout_s: float = Field(20.0, gt=0, description="without a reader for an answer")
    stream_idle_s: float = Field(60.0, gt=0, description="without a frame in a live stream")
    workers: int = Field(min(8, (os.cpu_count() or 2) + 2), gt=0, description="threads for decoding and drawing")
    drain_s: float = Field(0.0, ge=0, description="in which a service that stops says so and still takes requests")
    shutdown_grace_s: float = Field(5.0, ge=0, description="time for running requests to end when the service stops")

    @model_validator(mode="after")
    def ports_differ(self) -> Settings:
        if self.http_port == self.grpc_port:
            raise ValueError("DEEPHAR_HTTP_PORT and DEEPHAR_GRPC_PORT must differ")
        return self
