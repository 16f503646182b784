"""Keys and tokens of a real service: over REST, WebSockets and gRPC, with limits, and replaced while it runs."""

from __future__ import annotations

import os
import socket as sockets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import jwt
import pytest
from deephar import Client
from deephar.errors import Unauthenticated
from deephar.v1 import inference_pb2 as pb
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from service.access.keys import new_key
from service.testing.ports import free_loopback_port
from service.testing.running import ServiceProcess, running_service
from tests.conftest import ROOT, SAMPLES
from tests.grpc_calls import GrpcCalls, frames_of
from tests.integration.sockets import Socket, socket
from tests.unit.access.jwks_server import JwksServer
from tests.unit.access.made_tokens import AUDIENCE, ISSUER, Signer, jwks

RSA, EC, LATER = Signer("RS256", "rsa"), Signer("ES256", "ec"), Signer("EdDSA", "later")
STRANGER = Signer("RS256", "rsa")
LIMITS = {
    "full": "",
    "seldom": 'rate = "2/hour"\n',
    "alone": "concurrency = 1\n",
    "single": "streams = 1\n",
    "leaving": "",
}
PATIENCE_S = 10.0


@dataclass
class Guarded:
    service: ServiceProcess
    keys: dict[str, str]
    file: Path
    issuer: JwksServer

    @property
    def url(self) -> str:
        return self.service.url

    def pose(self, credentials: str | None, **headers: str) -> httpx.Response:
        if credentials is not None:
            headers["Authorization"] = f"Bearer {credentials}"
        return httpx.post(f"{self.url}/v1/pose", content=PERSON, headers=headers, timeout=30)

    def models(self, credentials: str) -> int:
        return httpx.get(f"{self.url}/v1/models", headers={"X-API-Key": credentials}).status_code


PERSON = (SAMPLES / "person.jpg").read_bytes()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    made = {name: new_key(name) for name in LIMITS}
    file = tmp_path_factory.mktemp("keys") / "keys.toml"
    file.write_text("".join(made[name][1] + limits for name, limits in LIMITS.items()))
    with (
        JwksServer(jwks(RSA, EC)).running() as issuer,
        running_service(keys=str(file), jwt_jwks=issuer.url, jwt_issuer=ISSUER, jwt_audience=AUDIENCE) as service,
    ):
        yield Guarded(service, {name: key for name, (key, _) in made.items()}, file, issuer)


def status_of(service: ServiceProcess, subprotocols: list[str] | None = None, **headers: str) -> int:
    """The HTTP status of a WebSocket that is opened so: 101 where it is accepted."""
    url = f"ws://127.0.0.1:{service.http_port}/v1/stream"
    chosen = [Subprotocol(name) for name in subprotocols or []]
    try:
        with connect(url, additional_headers=headers, subprotocols=chosen or None) as connection:
            assert connection.subprotocol == ("deephar" if "deephar" in chosen else None)
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def code_of(error: pytest.ExceptionInfo[grpc.RpcError]) -> tuple[grpc.StatusCode, str]:
    return error.value.code(), dict(error.value.trailing_metadata())["deephar-code"]


def test_rest_takes_keys_and_tokens_and_nothing_else(guarded: Guarded) -> None:
    key = guarded.keys["full"]
    assert guarded.pose(key).status_code == 200
    assert guarded.pose(None, **{"X-API-Key": key}).status_code == 200
    for signer in (RSA, EC):
        assert guarded.pose(signer.token()).status_code == 200
    public = jwt.encode(Signer.claims(), "x" * 64, "HS256", {"kid": "rsa"})
    for wrong in (None, "dh_wrong", key[:-1], STRANGER.token(), RSA.token(exp=1), RSA.token(aud="other"), public):
        answer = guarded.pose(wrong)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert httpx.post(f"{guarded.url}/v1/pose?api_key={key}", content=PERSON).status_code == 401
    for path in ("/", "/page/page.js", "/healthz", "/readyz", "/docs", "/openapi.json"):
        assert httpx.get(guarded.url + path).status_code == 200


def test_websockets_take_keys_in_headers_and_subprotocols(guarded: Guarded) -> None:
    service, key = guarded.service, guarded.keys["full"]
    assert status_of(service, Authorization=f"Bearer {key}") == 101
    assert status_of(service, ["deephar", f"deephar.key.{key}"]) == 101
    assert status_of(service, [f"deephar.key.{RSA.token()}", "deephar"]) == 101
    for refused in ([], ["deephar"], ["deephar", "deephar.key.dh_x"], [key], [f"deephar.key.{STRANGER.token()}"]):
        assert status_of(service, refused) == 401
    assert status_of(service, ["deephar", f"deephar.key.{key}"], Origin="https://elsewhere.example") == 403
    assert " ERROR " not in service.log.read_text()  # strangers must not fill it


def test_grpc_takes_keys_and_tokens_and_health_needs_none(guarded: Guarded) -> None:
    address = guarded.service.grpc_address
    for credentials in (guarded.keys["full"], RSA.token()):
        with GrpcCalls(address, api_key=credentials) as client:
            assert client.pose(PERSON).people
            assert client.models()
    for wrong in (None, "dh_wrong", STRANGER.token()):
        with GrpcCalls(address, api_key=wrong) as client:
            for call in (client.models, lambda: client.pose(PERSON), lambda: list(client.stream([]))):
                with pytest.raises(grpc.RpcError) as raised:
                    call()
                assert code_of(raised) == (grpc.StatusCode.UNAUTHENTICATED, "unauthenticated")
    for where in (address, guarded.url):
        with Client(where, api_key="dh_wrong") as stranger:
            for ask in (stranger.models, lambda: stranger.pose(PERSON), lambda: list(stranger.stream([]))):
                with pytest.raises(Unauthenticated, match="not known here"):
                    ask()
    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        with pytest.raises(grpc.RpcError) as raised:
            next(reflection.ServerReflectionInfo(iter([question])))
        assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED
        metadata = (("x-api-key", guarded.keys["full"]),)
        assert next(reflection.ServerReflectionInfo(iter([question]), metadata=metadata)).list_services_response


def begun(service: ServiceProcess, head: str) -> sockets.socket:
    connection = sockets.create_connection(("127.0.0.1", service.http_port), timeout=PATIENCE_S)
    connection.sendall(head.encode())
    return connection


def test_a_stranger_is_refused_before_the_body_is_there(guarded: Guarded) -> None:
    head = "POST /v1/pose HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: 9000000\r\n\r\n"
    began = time.monotonic()
    with closing(begun(guarded.service, head)) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("path", ["/healthz%0A", "/readyz%0a", "/docs%0D", "/v1/pose%0A", "/v1/models%00"])
def test_line_breaks_in_a_path_open_nothing(guarded: Guarded, path: str) -> None:
    for method in ("GET", "POST"):
        for headers, status in (("", b"401"), (f"X-API-Key: {guarded.keys['full']}\r\n", b"404")):
            head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n"
            with closing(begun(guarded.service, head)) as connection:
                assert connection.recv(100).split(b" ")[1] == status


def test_a_rate_holds_over_both_transports(guarded: Guarded) -> None:
    key = guarded.keys["seldom"]
    with GrpcCalls(guarded.service.grpc_address, api_key=key) as client:
        assert guarded.pose(key).status_code == 200
        assert client.pose(PERSON).people
        answer = guarded.pose(key)
        assert (answer.status_code, answer.json()["code"]) == (429, "overloaded")
        assert 3500 <= int(answer.headers["retry-after"]) <= 3600
        with pytest.raises(grpc.RpcError) as raised:
            client.pose(PERSON)
        assert code_of(raised) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "overloaded")
    assert guarded.pose(guarded.keys["full"]).status_code == 200


def test_requests_at_a_time(guarded: Guarded) -> None:
    key = guarded.keys["alone"]
    fields = f"X-API-Key: {key}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(PERSON)}\r\n"
    head = f"POST /v1/pose HTTP/1.1\r\nHost: x\r\n{fields}\r\n"
    with closing(begun(guarded.service, head)) as connection:
        deadline = time.monotonic() + PATIENCE_S
        while (status := guarded.pose(key).status_code) != 429 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert status == 429
        connection.sendall(PERSON)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    assert guarded.pose(key).status_code == 200


def test_streams_at_a_time(guarded: Guarded) -> None:
    key = guarded.keys["single"]
    with socket(guarded.service, Authorization=f"Bearer {key}") as stream:
        stream.say("config")
        stream.until("started")
        assert status_of(guarded.service, Authorization=f"Bearer {key}") == 429
        with GrpcCalls(guarded.service.grpc_address, api_key=key) as client, pytest.raises(grpc.RpcError) as raised:
            list(client.stream([]))
        assert code_of(raised) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "overloaded")
        assert guarded.pose(key).status_code == 200
        stream.say("end")
        stream.rest()
    deadline = time.monotonic() + PATIENCE_S
    while (status := status_of(guarded.service, Authorization=f"Bearer {key}")) == 429 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert status == 101


def test_keys_are_replaced_while_requests_run(guarded: Guarded) -> None:
    leaving, kept = guarded.keys["leaving"], guarded.keys["full"]
    coming, entry = new_key("coming")
    before = guarded.file.read_text()
    gone = before.index("[keys.leaving]")
    with socket(guarded.service, Authorization=f"Bearer {leaving}") as stream:
        stream.say("config")
        stream.until("started")
        written = guarded.file.with_suffix(".new")
        written.write_text(before[:gone] + entry)
        written.replace(guarded.file)
        deadline = time.monotonic() + PATIENCE_S
        while guarded.models(coming) == 401:
            assert time.monotonic() < deadline
            assert guarded.models(kept) == 200
            time.sleep(0.05)
        assert (guarded.models(leaving), guarded.models(kept), guarded.models(coming)) == (401, 200, 200)
        guarded.file.write_text("[keys.broken")
        until_logged(guarded.service, "the last one holds")
        assert (guarded.models(kept), guarded.models(coming)) == (200, 200)
        works(stream)  # of the key that is gone
    guarded.file.write_text(before)


def until_logged(service: ServiceProcess, text: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while text not in service.log.read_text():
        assert time.monotonic() < deadline, service.log.read_text()
        time.sleep(0.05)


def works(stream: Socket) -> None:
    frames: list[pb.Frame] = []
    for frame in frames_of(str(SAMPLES / "jumping_jacks.mp4")):
        frames.append(frame)
        if len(frames) == 5:
            break
    stream.send(frames)
    stream.say("end")
    assert [event["event"] for event in stream.rest()][-1] == "end"


def test_keys_of_tokens_hold_while_their_server_is_away(guarded: Guarded) -> None:
    asked = guarded.issuer.asked
    guarded.issuer.status = 500
    for _ in range(5):
        assert guarded.pose(LATER.token()).status_code == 401
        assert guarded.models(RSA.token()) == 200
    guarded.issuer.status = 200
    assert guarded.issuer.asked <= asked + 1


def test_the_command_reads_its_key_from_the_environment(guarded: Guarded) -> None:
    command = [str(Path(sys.executable).parent / "deephar"), "models", "--address", guarded.service.grpc_address]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEEPHAR_")}
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 4
    assert "send a key or a token" in refused.stderr
    environment["DEEPHAR_API_KEY"] = guarded.keys["full"]
    answered = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert answered.returncode == 0
    assert "lite" in answered.stdout


def service_command(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEEPHAR_")}
    environment |= {"DEEPHAR_HTTP_PORT": str(free_loopback_port()), "DEEPHAR_GRPC_PORT": str(free_loopback_port())}
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        env=environment | settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_key_is_made_and_a_broken_file_ends_the_start(tmp_path: Path) -> None:
    made = service_command("--new-key", "camera-7")
    assert made.returncode == 0
    assert made.stdout.startswith("\n[keys.camera-7]\nsha256 = ")
    assert "dh_" in made.stderr
    assert service_command("--new-key", "a b").returncode == 1
    file = tmp_path / "keys.toml"
    for content, says in ((None, "DEEPHAR_KEYS: what it names"), ("[keys.a]\n", f"{file}: keys.'a': sha256 must have")):
        if content is not None:
            file.write_text(content)
        ended = service_command(DEEPHAR_KEYS=str(file))
        assert ended.returncode == 2
        assert ended.stderr.count("\n") == 1
        assert ended.stderr.startswith(says)


def test_no_key_and_no_token_is_in_the_log(guarded: Guarded) -> None:
    token = RSA.token(sub="forged\nline\x1b[31m")
    assert guarded.models(token) == 200
    log = guarded.service.log.read_text()
    for secret in (*guarded.keys.values(), token):
        assert secret not in log
        assert secret[3:20] not in log
    assert "\x1b" not in log
    assert "refused, the last one" in log
