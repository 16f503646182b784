"""What operators see: ids of requests, metrics, lines of the log and traces, over all transports."""

from __future__ import annotations

import json
import re
import secrets
import signal
import socket as sockets
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import grpc
import httpx
import pytest
from deephar.v1 import inference_pb2 as pb
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect as connect_websocket

from service.testing.ports import free_loopback_port
from service.testing.running import ServiceProcess, running_service
from tests.integration.callers import METHOD, answer_of, connect, post_head
from tests.integration.collector import Collector, collecting
from tests.integration.sockets import socket
from tests.integration.waiting import wait_for

LARGEST_IMAGE = 200_000
STREAM = "/deephar.v1.InferenceService/StreamVideo"
Line = dict[str, Any]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def metrics_port() -> int:
    return free_loopback_port()


@pytest.fixture(scope="module")
def own(collector: Collector, metrics_port: int) -> Iterator[ServiceProcess]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")  # ms, for the test to be short
        with running_service(
            log_format="json",
            metrics_port=str(metrics_port),
            otlp_endpoint=collector.url,
            max_image_bytes=str(LARGEST_IMAGE),
            max_streams="1",
            header_timeout_s="1",
        ) as running:
            yield running


def lines(service: ServiceProcess) -> list[Line]:
    """All lines of the log; each of them must be JSON."""
    return [json.loads(line) for line in service.log.read_text().splitlines()]


def access_line(service: ServiceProcess, request_id: str) -> Line:
    found: list[Line] = []

    def is_there() -> bool:
        told = (line for line in lines(service) if line["logger"] == "access")
        found[:] = [line for line in told if line["request_id"] == request_id]
        return bool(found)

    assert wait_for(is_there, 5), service.log.read_text()[-4000:]
    assert len(found) == 1
    return found[0]


def metrics(service: ServiceProcess) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = httpx.get(f"{service.url}/metrics").text
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def value(service: ServiceProcess, name: str, **labels: str) -> float:
    return metrics(service).get((f"deephar_{name}", tuple(sorted(labels.items()))), 0.0)


def new_id() -> str:
    return f"test {secrets.token_hex(6)}"


def estimate(
    service: ServiceProcess, request: pb.EstimatePoseRequest, *metadata: tuple[str, str]
) -> tuple[grpc.StatusCode, dict[str, str]]:
    """Code and trailers of a call."""
    with grpc.insecure_channel(service.grpc_address) as channel:
        call = channel.unary_unary(METHOD, pb.EstimatePoseRequest.SerializeToString)
        try:
            _, ended = call.with_call(request, metadata=metadata, timeout=60)
            return ended.code(), dict(ended.trailing_metadata())
        except grpc.RpcError as error:
            return error.code(), dict(error.trailing_metadata())


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "route"),
    [
        ("GET", "/healthz", b"", 200, "/healthz"),
        ("HEAD", "/healthz", b"", 200, "/healthz"),
        ("GET", "/v1/models/nobody", b"", 404, "/v1/models/{name}"),
        ("GET", "/secret/path?token=hush", b"", 404, "other"),
        ("DELETE", "/v1/pose", b"", 405, "/v1/pose"),
        ("POST", "/v1/pose", b"no picture", 422, "/v1/pose"),
        ("POST", "/v1/pose?boxes=no", b"", 422, "/v1/pose"),
        ("POST", "/v1/pose", bytes(3 * LARGEST_IMAGE + 2**20), 413, "/v1/pose"),
        ("POST", "/v1/pose", b"text", 415, "/v1/pose"),
    ],
)
def test_every_answer_of_rest_has_its_id_and_its_line(
    own: ServiceProcess, method: str, path: str, body: bytes, status: int, route: str
) -> None:
    sent, kind = new_id(), "text/plain" if status == 415 else "image/jpeg"
    count = {"transport": "rest", "route": route, "code": str(status), "model": ""}
    before = value(own, "requests_total", **count)
    headers = {"X-Request-ID": sent, "Content-Type": kind}
    answer = httpx.request(method, own.url + path, content=body, headers=headers, timeout=60)
    assert (answer.status_code, answer.headers["x-request-id"]) == (status, sent)
    if status >= 400:
        assert answer.json()["request_id"] == sent
    line = access_line(own, sent)
    assert (line["method"], line["route"], line["code"]) == (method, route, str(status))
    assert line["transport"] == "rest"
    assert 0 < line["duration_ms"] < 60_000
    if not line["model"]:
        assert value(own, "requests_total", **count) == before + 1


def test_a_picture_is_counted_in_every_stage(own: ServiceProcess, person_jpeg: bytes) -> None:
    stages = ("admission", "read", "decode", "crop", "triton", "encode")
    before = metrics(own)
    sent = new_id()
    files = {"image": ("hush-hush.jpg", person_jpeg)}
    answer = httpx.post(f"{own.url}/v1/pose?max_people=1", files=files, headers={"X-Request-ID": sent}, timeout=60)
    assert answer.status_code == 200
    line, after = access_line(own, sent), metrics(own)
    assert line["model"] == "lite"
    assert line["bytes_in"] > len(person_jpeg)
    assert line["bytes_out"] == len(answer.content)
    assert "hush" not in own.log.read_text()

    def grown(name: str, **labels: str) -> float:
        key = (f"deephar_{name}", tuple(sorted(labels.items())))
        return after.get(key, 0.0) - before.get(key, 0.0)

    for stage in stages:
        assert grown("stage_seconds_count", stage=stage) >= 1, stage
    assert grown("requests_total", transport="rest", route="/v1/pose", code="200", model="lite") == 1
    assert grown("request_seconds_count", transport="rest", route="/v1/pose") == 1
    for network in ("person", "lite_frame"):
        assert grown("triton_calls_total", network=network, code="OK") >= 1
        assert grown("batch_size_count", network=network) >= 1
    now = {name: amount for (name, labels), amount in after.items() if not labels}
    assert now["deephar_ready"] == 1
    assert now["deephar_streams"] == 0
    assert now["deephar_triton_restarts_total"] == 0
    assert value(own, "requests_in_flight", transport="rest") == 1  # the one that asks


def test_what_is_no_http_and_too_large_headers_are_told(own: ServiceProcess) -> None:
    sent = new_id()
    with connect(own, "no http\n\n") as connection:
        status, text = answer_of(connection)
    assert status == 400
    (made,) = re.findall(r"\r\nx-request-id: ([0-9a-f]{16})\r\n", text)
    assert json.loads(text.partition("\r\n\r\n")[2])["request_id"] == made
    assert access_line(own, made)["code"] == "400"
    with connect(own, f"GET /healthz HTTP/1.1\nHost: x\nX-Request-ID: {sent}\nX: {'x' * 70_000}\n\n") as connection:
        assert answer_of(connection)[0] == 431
    with connect(own, "GET /healthz HTTP/1.1\n") as connection:
        status, text = answer_of(connection)
    assert status == 408
    (late,) = re.findall(r"\r\nx-request-id: (\S+)\r\n", text)
    assert access_line(own, late)["code"] == "408"


def test_a_caller_who_leaves_is_told_as_well(own: ServiceProcess) -> None:
    sent = new_id()
    with connect(own, post_head(100_000, more=f"X-Request-ID: {sent}\n"), b"x" * 1000):
        pass
    line = access_line(own, sent)
    assert (line["code"], line["route"], line["bytes_in"]) == ("499", "/v1/pose", 1000)


def test_grpc(own: ServiceProcess, person_jpeg: bytes) -> None:
    route = METHOD.removeprefix("/")
    for image, code, count in ((person_jpeg, "OK", "OK"), (b"no picture", "INVALID_ARGUMENT", "INVALID_ARGUMENT")):
        sent = new_id()
        before = value(own, "requests_total", transport="grpc", route=route, code=count, model="lite")
        status, trailers = estimate(own, pb.EstimatePoseRequest(image=image), ("x-request-id", sent))
        assert (status.name, trailers["x-request-id"]) == (code, sent)
        line = access_line(own, sent)
        assert (line["transport"], line["route"], line["code"], line["method"]) == ("grpc", route, code, "")
        assert line["bytes_in"] > len(image)
        assert (line["bytes_out"] > 0) == (code == "OK")
        assert value(own, "requests_total", transport="grpc", route=route, code=count, model="lite") == before + 1
    assert trailers["deephar-code"] == "invalid_image"
    _, trailers = estimate(own, pb.EstimatePoseRequest(model="nobody"))
    assert re.fullmatch("[0-9a-f]{16}", trailers["x-request-id"])
    assert access_line(own, trailers["x-request-id"])["code"] == "NOT_FOUND"


def test_a_grpc_caller_who_leaves(own: ServiceProcess) -> None:
    sent = new_id()
    with grpc.insecure_channel(own.grpc_address) as channel:
        call = channel.stream_stream(STREAM)(endless(threading.Event()), metadata=(("x-request-id", sent),))
        assert next(call)
        call.cancel()
    # A leaving caller also ends its frames, which may be noticed first: a stream without any is refused.
    assert access_line(own, sent)["code"] in ("CANCELLED", "INVALID_ARGUMENT")


def endless(ends: threading.Event) -> Iterator[bytes]:
    yield pb.StreamVideoRequest(config=pb.StreamConfig()).SerializeToString()
    ends.wait(30)


def test_a_websocket_and_the_ones_that_are_refused(own: ServiceProcess, person_jpeg: bytes) -> None:
    sent, refused, foreign = new_id(), new_id(), new_id()
    before = metrics(own)
    with socket(own, **{"X-Request-ID": sent}) as stream:
        response = stream.connection.response
        assert response is not None
        assert response.headers["X-Request-ID"] == sent
        stream.say("config")
        stream.until("started")
        assert value(own, "streams") == 1
        assert value(own, "requests_in_flight", transport="websocket") == 1
        # The one place is taken: refused over every transport.
        with pytest.raises(InvalidStatus) as caught, socket(own, **{"X-Request-ID": refused}):
            pass
        assert caught.value.response.status_code == 429
        assert caught.value.response.headers["X-Request-ID"] == refused
        assert caught.value.response.body is not None
        assert json.loads(caught.value.response.body)["request_id"] == refused
        assert access_line(own, refused)["code"] == "429"
        answer = httpx.post(f"{own.url}/v1/actions", content=b"")
        assert (answer.status_code, answer.json()["request_id"]) == (429, answer.headers["x-request-id"])
        assert access_line(own, answer.headers["x-request-id"])["route"] == "/v1/actions"
        with grpc.insecure_channel(own.grpc_address) as channel, pytest.raises(grpc.RpcError) as full:
            next(channel.stream_stream(STREAM)(endless(threading.Event())))
        trailers = dict(full.value.trailing_metadata())
        assert access_line(own, trailers["x-request-id"])["code"] == "RESOURCE_EXHAUSTED"
        stream.send([pb.Frame(encoded=person_jpeg), pb.Frame(encoded=b"no picture", timestamp_ns=10**9)])
        stream.say("end")
        stream.rest()
    line = access_line(own, sent)
    assert (line["transport"], line["route"], line["code"], line["model"]) == ("websocket", "/v1/stream", "101", "lite")
    assert line["bytes_in"] > len(person_jpeg)
    assert line["bytes_out"] > 100
    after = metrics(own)

    def grown(name: str, **labels: str) -> float:
        key = (f"deephar_{name}", tuple(labels.items()))
        return after.get(key, 0.0) - before.get(key, 0.0)

    assert grown("frames_total", outcome="received") == 2
    assert grown("frames_total", outcome="lost") == 1
    assert grown("lag_seconds_count") == 2
    with pytest.raises(InvalidStatus) as caught, socket(own, **{"X-Request-ID": foreign, "Origin": "http://evil.test"}):
        pass
    assert caught.value.response.status_code == 403
    assert caught.value.response.headers["X-Request-ID"] == foreign
    assert access_line(own, foreign)["code"] == "403"


def test_a_websocket_of_no_route_and_one_that_is_none(own: ServiceProcess) -> None:
    sent, wrong = new_id(), new_id()
    with pytest.raises(InvalidStatus) as caught:
        connect_websocket(f"ws://127.0.0.1:{own.http_port}/nowhere", additional_headers={"X-Request-ID": sent})
    assert caught.value.response.headers["X-Request-ID"] == sent
    line = access_line(own, sent)
    assert (line["route"], line["code"]) == ("other", "403")
    head = "GET /v1/stream HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n"
    with connect(own, f"{head}X-Request-ID: {wrong}\n\n") as connection:
        answer = connection.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 400")
    assert f"X-Request-ID: {wrong}" in answer
    assert access_line(own, wrong)["code"] == "400"


FORGED = 'x\r\n{"logger": "access", "message": "forged"}\x1b[2J\u2028\u2029\x85'


@pytest.mark.parametrize("kind", ["json", "text"])
def test_no_caller_can_forge_a_line(own: ServiceProcess, service: ServiceProcess, kind: str) -> None:
    asked = own if kind == "json" else service
    query = {"model": FORGED, "boxes": FORGED}
    answers = [
        httpx.post(f"{asked.url}/v1/pose", params=query, content=b"x"),
        httpx.post(f"{asked.url}/v1/pose", files={"image": (FORGED, b"x")}, data={FORGED: FORGED}),
        httpx.get(f"{asked.url}/%0d%0aforged%1b%5b2J%e2%80%a8"),
        httpx.get(f"{asked.url}/v1/models/%0d%0aforged%1b%5b2J"),
        httpx.get(f"{asked.url}/healthz", headers=[(b"X-Request-ID", b"x\x1b[2J\x85")]),
        httpx.post(f"{asked.url}/v1/pose", content=b"x", headers={"Content-Type": "text/forged\x1b[2J"}),
    ]
    for answer in answers:
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])
    with connect(asked, "GET /healthz HTTP/1.1\nHost: x\nX-Request-ID: x\x1b[2J\n\n") as connection:
        connection.recv(65536)
    estimate(asked, pb.EstimatePoseRequest(model=FORGED, layout=FORGED))
    last = httpx.get(f"{asked.url}/healthz").headers["x-request-id"]
    assert wait_for(lambda: last in asked.log.read_text(), 5)
    text = asked.log.read_bytes().decode()
    assert "forged" not in text
    assert "\x1b" not in text
    for line in text.splitlines():
        if kind == "json":
            assert set(json.loads(line)) >= {"time", "level", "logger", "message"}
        else:
            assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING|ERROR) [\w.]+: |    ", line), line


def test_access_lines_in_text(service: ServiceProcess) -> None:
    sent = new_id()
    httpx.get(f"{service.url}/v1/models/nobody", headers={"X-Request-ID": sent})
    pattern = (
        r"\d{4}-\d\d-\d\d [\d:]{8},\d{3} INFO access: GET /v1/models/\{name\} 404 \d+\.\d ms"
        rf' transport=rest in=0 out=\d+ request_id="{sent}"'
    )
    assert wait_for(lambda: re.search(pattern, service.log.read_text()) is not None, 5)


def has_span(collector: Collector, trace_id: str, name: str) -> bool:
    return name in collector.spans(trace_id)


def trace() -> tuple[str, str]:
    """A new trace's id, and the context that a caller sends."""
    trace_id = secrets.token_hex(16)
    return trace_id, f"00-{trace_id}-00f067aa0ba902b7-01"


def test_traces_go_over_all_transports_to_triton(own: ServiceProcess, collector: Collector, person_jpeg: bytes) -> None:
    ids: dict[str, str] = {}
    ids["rest"], context = trace()
    sent = new_id()
    headers = {"traceparent": context, "X-Request-ID": sent}
    httpx.post(f"{own.url}/v1/pose?max_people=1", content=person_jpeg, headers=headers, timeout=60)
    assert access_line(own, sent)["trace_id"] == ids["rest"]
    ids["grpc"], context = trace()
    estimate(own, pb.EstimatePoseRequest(image=person_jpeg), ("traceparent", context))
    ids["websocket"], context = trace()
    with socket(own, traceparent=context) as stream:
        stream.say("config")
        stream.send([pb.Frame(encoded=person_jpeg)])
        stream.say("end")
        stream.rest()
    names = {"rest": "POST /v1/pose", "grpc": METHOD.removeprefix("/"), "websocket": "WS /v1/stream"}
    for transport, trace_id in ids.items():
        server = names[transport]
        assert wait_for(partial(has_span, collector, trace_id, server), 10), transport
        spans = collector.spans(trace_id)
        outer, inner = spans[server], spans["ModelInfer lite_frame"]
        assert outer.parent_span_id.hex() == "00f067aa0ba902b7"
        assert inner.parent_span_id == outer.span_id
        assert (outer.kind, inner.kind) == (outer.SPAN_KIND_SERVER, inner.SPAN_KIND_CLIENT)
        attributes = {attribute.key: attribute.value.string_value for attribute in outer.attributes}
        assert "max_people" not in str(attributes)
    resource = {a.key: a.value.string_value for a in collector.requests[0].resource_spans[0].resource.attributes}
    assert resource["service.name"] == "deephar-serve"
    assert resource["service.version"]


def test_a_request_without_a_context_begins_a_trace(own: ServiceProcess, collector: Collector) -> None:
    sent = new_id()
    httpx.get(f"{own.url}/secret?token=hush", headers={"X-Request-ID": sent})
    trace_id = access_line(own, sent)["trace_id"]
    assert wait_for(lambda: bool(collector.spans(trace_id)), 10)
    assert "hush" not in str(collector.spans(trace_id))
    assert "secret" not in str(collector.spans(trace_id))


def test_metrics_alone_and_those_of_triton(own: ServiceProcess, metrics_port: int) -> None:
    alone = f"http://127.0.0.1:{metrics_port}"
    assert "deephar_requests_total" in httpx.get(f"{alone}/metrics").text
    assert httpx.get(f"{alone}/healthz").status_code == 404
    assert httpx.get(f"{alone}/docs").status_code == 404
    for base in (alone, own.url):
        answer = httpx.get(f"{base}/metrics/triton")
        families = {family.name: family for family in text_string_to_metric_families(answer.text)}
        samples = families["nv_inference_request_success"].samples
        assert {s.labels["address"] for s in samples} == {"embedded"}
        assert {s.labels["model"] for s in samples} >= {"lite_frame", "person"}
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = httpx.get(f"{alone}/metrics", headers=accept)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


def test_the_metrics_port_has_the_limits_of_connections(own: ServiceProcess, metrics_port: int) -> None:
    def answer(sent: bytes) -> bytes:
        with sockets.create_connection(("127.0.0.1", metrics_port), timeout=10) as connection:
            connection.sendall(sent)
            return connection.makefile("rb").readline()

    assert answer(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 100_000).startswith(b"HTTP/1.1 431")
    assert answer(b"GET /metrics HTTP/1.1\r\nX: x").startswith(b"HTTP/1.1 408")


def test_the_embedded_triton_listens_on_loopback_alone(own: ServiceProcess) -> None:
    inodes = set()
    for pid in own.triton_pids():
        for entry in subprocess.run(
            ["ls", "-l", f"/proc/{pid}/fd"], capture_output=True, text=True
        ).stdout.splitlines():
            inodes |= set(re.findall(r"socket:\[(\d+)\]", entry))
    addresses = []
    for table in ("tcp", "tcp6"):
        with open(f"/proc/net/{table}") as file:
            rows = [row.split() for row in file.readlines()[1:]]
        addresses += [row[1].split(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes]
    loopback = {"0100007F", "0000000000000000FFFF00000100007F"}
    assert len(addresses) == 2  # gRPC and metrics
    assert set(addresses) <= loopback


def test_a_metrics_port_that_is_taken_ends_the_start() -> None:
    with sockets.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with running_service(wait=False, metrics_port=port) as service:
            assert service.process.wait(30) == 1
            assert service.log.read_text() == (
                f"cannot listen on 127.0.0.1:{port} (Address already in use); set DEEPHAR_METRICS_PORT to a free port\n"
            )


def test_metrics_are_there_until_the_end_and_the_last_lines_as_well(own: ServiceProcess, metrics_port: int) -> None:
    """Ends the service: it is the last test."""
    sent, ends = new_id(), threading.Event()
    with grpc.insecure_channel(own.grpc_address) as channel:
        call = channel.stream_stream(STREAM)(endless(ends), metadata=(("x-request-id", sent),))
        assert next(call)
        connection = connect(own, post_head(100_000), b"x")  # is in work, and keeps the service from its end
        assert wait_for(lambda: value(own, "requests_in_flight", transport="rest") == 2, 5)
        own.process.send_signal(signal.SIGTERM)
        assert wait_for(lambda: "stopping" in own.log.read_text(), 5)
        answer = httpx.get(f"http://127.0.0.1:{metrics_port}/metrics")
        assert 'deephar_requests_in_flight{transport="rest"}' in answer.text
        assert "deephar_ready 0.0" in answer.text
        with pytest.raises(grpc.RpcError):
            list(call)
        ends.set()
        connection.close()
    assert own.process.wait(30) == 0
    assert access_line(own, sent)["code"] == "UNAVAILABLE"
