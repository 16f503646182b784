"""TLS ends at the proxy of the profile proxy, or it does not start."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import trustme
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc

from tests.deploy.stack import PICTURE, ROOT, Stack, image_or_stand_in, wait_until

pytestmark = pytest.mark.docker
FILES = {
    "DEEPHAR_TLS_CERTIFICATE": "/certificates/tls.pem",
    "DEEPHAR_TLS_KEY": "/certificates/tls.key",
    "DEEPHAR_GRPC_CLIENT_CA": "/certificates/clients.pem",
}
SEEN_S = 30.0  # within which a new certificate is used


@pytest.fixture(scope="module")
def image(engine: tuple[str, ...]) -> str:
    return image_or_stand_in("nginx:1.28", "nginx")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def folder(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of certificates, for the proxy's own user to read."""
    folder = tmp_path_factory.mktemp("certificates")
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)
    authority.cert_pem.write_to_path(folder / "clients.pem")
    issue(authority, folder)
    return folder


@pytest.fixture(scope="module")
def stack(engine: tuple[str, ...], image: str, folder: Path) -> Iterator[Stack]:
    stack = Stack(engine, "--profile", "proxy", NGINX_IMAGE=image, CERTIFICATES_FOLDER=str(folder), **FILES)
    try:
        stack("up", "-d")
        wait_until("ready", lambda: is_ready(stack))
        yield stack
    finally:
        print(stack("logs", "--tail", "50"))
        stack.remove()


def issue(authority: trustme.CA, folder: Path) -> None:
    issued = authority.issue_cert("localhost", "127.0.0.1")
    (folder / "tls.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    (folder / "tls.key").write_bytes(issued.private_key_pem.bytes())
    (folder / "tls.key").chmod(0o644)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def is_ready(stack: Stack) -> bool:
    try:
        # Whether it is trusted is asked by the tests.
        return httpx.get(f"https://127.0.0.1:{stack.http_port}/readyz", verify=False, timeout=5).is_success
    except httpx.TransportError:
        return False


def test_rest_is_served_with_tls_and_never_plain(stack: Stack, authority: trustme.CA) -> None:
    url = f"https://localhost:{stack.http_port}/v1/pose"
    headers = {"Content-Type": "image/jpeg"}
    answer = httpx.post(url, content=PICTURE.read_bytes(), headers=headers, verify=trusting(authority), timeout=60)
    assert answer.json()["people"]
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert httpx.get(f"http://localhost:{stack.http_port}/readyz", timeout=10).status_code == 400


def test_rest_is_served_with_http_2(stack: Stack) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed (Debian: apt-get install curl)")
    command = [curl, "-sk", "--http2", "-o", "/dev/null", "-w", "%{http_version} %{http_code}"]
    sent = [*command, "-F", f"image=@{PICTURE}", f"https://127.0.0.1:{stack.http_port}/v1/pose"]
    assert subprocess.run(sent, capture_output=True, text=True, check=True).stdout == "2 200"


def test_grpc_wants_a_certificate_of_its_clients(stack: Stack, authority: trustme.CA) -> None:
    client = authority.issue_cert("camera-7@example.org")
    known = (client.private_key_pem.bytes(), client.cert_chain_pems[0].bytes())
    request = pb.EstimatePoseRequest(image=PICTURE.read_bytes())
    for key, chain in (known, (None, None)):
        credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes(), key, chain)
        with grpc.secure_channel(f"localhost:{stack.grpc_port}", credentials) as channel:
            stub = pb_grpc.InferenceServiceStub(channel)
            if key:
                assert stub.EstimatePose(request, timeout=60).people
            else:
                with pytest.raises(grpc.RpcError) as refused:
                    stub.EstimatePose(request, timeout=60)
                error: Any = refused.value
                assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error.details()


def test_a_new_certificate_is_used_without_a_restart(stack: Stack, authority: trustme.CA, folder: Path) -> None:
    def serial() -> str:
        with (
            socket.create_connection(("127.0.0.1", stack.http_port), timeout=10) as plain,
            trusting(authority).wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            return str(dict(connection.getpeercert() or {})["serialNumber"])

    before = serial()
    issue(authority, folder)
    wait_until("the new certificate is used", lambda: serial() != before, SEEN_S)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (["DEEPHAR_TLS_CERTIFICATE"], "DEEPHAR_TLS_CERTIFICATE is set without DEEPHAR_TLS_KEY"),
        (["DEEPHAR_TLS_KEY"], "DEEPHAR_TLS_KEY is set without DEEPHAR_TLS_CERTIFICATE"),
        (["DEEPHAR_GRPC_CLIENT_CA"], "DEEPHAR_GRPC_CLIENT_CA is set without DEEPHAR_TLS_CERTIFICATE"),
    ],
)
def test_half_a_configuration_is_refused(image: str, folder: Path, named: list[str], said: str) -> None:
    assert said in refusal(image, folder, {name: FILES[name] for name in named})


def test_a_file_that_is_missing_is_named(image: str, folder: Path) -> None:
    said = refusal(image, folder, {**FILES, "DEEPHAR_TLS_KEY": "/certificates/none.key"})
    assert "/certificates/none.key cannot be read; put it into deploy/certificates" in said


def test_what_is_no_certificate_is_refused(image: str, folder: Path) -> None:
    said = refusal(image, folder, {**FILES, "DEEPHAR_TLS_CERTIFICATE": "/certificates/tls.key"})
    assert "nginx does not take the configuration" in said


def refusal(image: str, folder: Path, variables: dict[str, str]) -> str:
    """Returns what the proxy says when it does not start."""
    mounts = [f"-v={ROOT / 'deploy' / 'proxy'}:/proxy:ro", f"-v={folder}:/certificates:ro"]
    values = [f"-e={name}={value}" for name, value in variables.items()]
    command = ["docker", "run", "--rm", "--read-only", "--tmpfs=/tmp", "--user=101:101", *mounts, *values]
    done = subprocess.run([*command, image, "sh", "/proxy/start.sh"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    return done.stderr
