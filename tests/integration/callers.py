"""What callers of the integration tests send and read, over plain sockets, REST and gRPC."""

from __future__ import annotations

import socket
from typing import Any

import grpc
import httpx
import pytest

from service.testing.running import ServiceProcess

METHOD = "/deephar.v1.InferenceService/EstimatePose"


def connect(service: ServiceProcess, head: str = "", body: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", service.http_port), timeout=20)
    connection.sendall(head.replace("\n", "\r\n").encode() + body)
    return connection


def post(service: ServiceProcess, path: str, **request: Any) -> httpx.Response:
    return httpx.post(f"{service.url}{path}", timeout=60, **request)


def post_head(length: int, path: str = "/v1/pose", more: str = "") -> str:
    return f"POST {path} HTTP/1.1\nHost: x\nContent-Type: image/jpeg\nContent-Length: {length}\n{more}\n"


def answer_of(connection: socket.socket) -> tuple[int, str]:
    received = b""
    while part := connection.recv(65536):
        received += part
        if received.partition(b"\r\n\r\n")[2].endswith(b"}"):
            break
    return int(received.split()[1]) if received else 0, received.decode(errors="replace")


def pose(service: ServiceProcess, image: bytes) -> httpx.Response:
    return httpx.post(f"{service.url}/v1/pose", content=image, timeout=60)


def call_with_bytes(service: ServiceProcess, data: bytes, method: str = METHOD, **options: object) -> grpc.RpcError:
    with grpc.insecure_channel(service.grpc_address) as channel, pytest.raises(grpc.RpcError) as caught:
        list(channel.stream_stream(method)(iter([data]), timeout=30, **options))
    return caught.value
