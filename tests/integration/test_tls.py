"""TLS of a real service: REST, WebSockets and gRPC, whose clients show certificates; replaced while requests run."""

from __future__ import annotations

import socket as sockets
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import httpx
import pytest
import trustme
from websockets.sync.client import connect

from service.serving import HANDSHAKE_S
from service.testing.running import START_PATIENCE_S, ServiceProcess, running_service
from tests.conftest import SAMPLES
from tests.grpc_calls import GrpcCalls

PERSON = (SAMPLES / "person.jpg").read_bytes()
AUTHORITY, OF_CLIENTS = trustme.CA(), trustme.CA()
CALLER = OF_CLIENTS.issue_cert("camera-7")
PATIENCE_S = 15.0


def written(folder: Path, days: float = 90.0) -> None:
    """Writes a new chain and its key, one after the other."""
    made = AUTHORITY.issue_cert("127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=days))
    for name, content in (
        ("chain.pem", b"".join(pem.bytes() for pem in made.cert_chain_pems)),
        ("key.pem", made.private_key_pem.bytes()),
    ):
        (folder / "new").write_bytes(content)
        (folder / "new").chmod(0o600)
        (folder / "new").replace(folder / name)


@dataclass
class Encrypted:
    service: ServiceProcess
    folder: Path
    trust: ssl.SSLContext

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.service.http_port}"

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, verify=self.trust, timeout=30)

    def client(self, certificate: trustme.LeafCert | None = CALLER) -> GrpcCalls:
        chain = certificate and certificate.cert_chain_pems[0].bytes()
        key = certificate and certificate.private_key_pem.bytes()
        trusted = grpc.ssl_channel_credentials(AUTHORITY.cert_pem.bytes(), key, chain)
        return GrpcCalls(self.service.grpc_address, credentials=trusted)

    def shown(self, port: int) -> bytes:
        """The certificate that a port shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(self.folder / "caller.pem")
        with sockets.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain) as connection:
            return connection.getpeercert(binary_form=True) or b""


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    folder = tmp_path_factory.mktemp("certificates")
    written(folder)
    OF_CLIENTS.cert_pem.write_to_path(str(folder / "clients.pem"))
    CALLER.private_key_and_cert_chain_pem.write_to_path(str(folder / "caller.pem"))
    trust = ssl.create_default_context()
    AUTHORITY.configure_trust(trust)
    with running_service(
        wait=False,
        tls_certificate=str(folder / "chain.pem"),
        tls_key=str(folder / "key.pem"),
        grpc_client_ca=str(folder / "clients.pem"),
    ) as service:
        made = Encrypted(service, folder, trust)
        deadline = time.monotonic() + START_PATIENCE_S
        while not ready(made):
            assert time.monotonic() < deadline, service.log.read_text()
            time.sleep(0.05)
        yield made


def ready(made: Encrypted) -> bool:
    assert made.service.process.poll() is None, made.service.log.read_text()
    try:
        return made.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_rest_and_websockets_are_encrypted(encrypted: Encrypted) -> None:
    answer = httpx.post(f"{encrypted.url}/v1/pose", content=PERSON, verify=encrypted.trust, timeout=30)
    assert answer.json()["people"]
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    with connect(f"wss://127.0.0.1:{encrypted.service.http_port}/v1/stream", ssl=encrypted.trust) as stream:
        stream.send('{"type": "config"}')
        assert '"started"' in str(stream.recv(timeout=30))
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{encrypted.service.http_port}/healthz")


def test_grpc_clients_must_show_a_certificate(encrypted: Encrypted) -> None:
    with encrypted.client() as client:
        assert client.pose(PERSON).people
    for wrong in (None, AUTHORITY.issue_cert("camera-7")):
        with encrypted.client(wrong) as client, pytest.raises(grpc.RpcError) as raised:
            client.models()
        assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
    with sockets.create_connection(("127.0.0.1", encrypted.service.grpc_port), timeout=PATIENCE_S) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        stranger.recv(100)
    lines = encrypted.service.log.read_text().splitlines()
    assert [line for line in lines if not line.startswith("20")] == []  # strangers write none past the log


def test_old_versions_of_tls_are_refused(encrypted: Encrypted) -> None:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    for port in (encrypted.service.http_port, encrypted.service.grpc_port):
        with sockets.create_connection(("127.0.0.1", port)) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_a_new_certificate_is_shown_and_no_request_fails(encrypted: Encrypted) -> None:
    ports = (encrypted.service.http_port, encrypted.service.grpc_port)
    before = [encrypted.shown(port) for port in ports]
    ended, asked = threading.Event(), [0, 0]

    def rest() -> None:
        with httpx.Client(verify=encrypted.trust, timeout=30) as kept:
            while not ended.is_set():
                for answer in (encrypted.get("/v1/models"), kept.post(f"{encrypted.url}/v1/pose", content=PERSON)):
                    assert answer.status_code == 200
                asked[0] += 1

    def calls() -> None:
        with encrypted.client() as kept:
            while not ended.is_set():
                assert kept.pose(PERSON).people
                with encrypted.client() as fresh:
                    assert fresh.models()
                asked[1] += 1

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(rest), pool.submit(calls)]
        try:
            deadline = time.monotonic() + PATIENCE_S
            written(encrypted.folder)
            while any(encrypted.shown(port) == old for port, old in zip(ports, before, strict=True)):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            so_far = list(asked)
            while any(now < then + 2 for now, then in zip(asked, so_far, strict=True)):
                assert time.monotonic() < deadline + PATIENCE_S
                assert not any(work.done() for work in running)
                time.sleep(0.05)
        finally:
            ended.set()
        for work in running:
            work.result()


def test_broken_and_expired_certificates_are_told(encrypted: Encrypted) -> None:
    good = (encrypted.folder / "key.pem").read_bytes()
    before = encrypted.shown(encrypted.service.http_port)
    (encrypted.folder / "key.pem").write_bytes(good[:100])
    logged(encrypted.service, "the last one holds")
    assert encrypted.shown(encrypted.service.http_port) == before
    written(encrypted.folder, days=-1)
    logged(encrypted.service, "a certificate has expired")
    with pytest.raises(httpx.ConnectError, match="expired"):
        encrypted.get("/healthz")
    written(encrypted.folder)
    deadline = time.monotonic() + PATIENCE_S
    while not ready(encrypted):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "PRIVATE KEY" not in encrypted.service.log.read_text()


def logged(service: ServiceProcess, text: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while text not in service.log.read_text():
        assert time.monotonic() < deadline, service.log.read_text()
        time.sleep(0.05)


@pytest.mark.faults
def test_who_never_ends_the_handshake_is_left(encrypted: Encrypted) -> None:
    began = time.monotonic()
    for port in (encrypted.service.http_port, encrypted.service.grpc_port):
        with sockets.create_connection(("127.0.0.1", port), timeout=HANDSHAKE_S + 10) as silent:
            silent.sendall(b"\x16\x03\x01")
            while silent.recv(1000):
                pass
    assert time.monotonic() - began < 2 * HANDSHAKE_S + 10
