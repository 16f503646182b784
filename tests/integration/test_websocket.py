"""`WS /v1/stream` against the real service, and its parity with gRPC."""

from __future__ import annotations

import json
import signal
import threading
from socket import SHUT_RDWR
from typing import Any

import pytest
from deephar.v1 import inference_pb2 as pb
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from service.testing.running import ServiceProcess, running_service
from tests.conftest import SAMPLES
from tests.grpc_calls import GrpcCalls, frames_of
from tests.integration.sockets import Event, Socket, message, socket
from tests.integration.waiting import wait_for


@pytest.fixture(scope="module")
def frames() -> list[pb.Frame]:
    return list(frames_of(str(SAMPLES / "jumping_jacks.mp4")))


def streamed(service: ServiceProcess, frames: list[pb.Frame], **config: object) -> list[Event]:
    with socket(service) as stream:
        stream.say("config", **config)

        def send() -> None:
            stream.send(frames)
            stream.say("end")

        sending = threading.Thread(target=send)
        sending.start()
        events = stream.rest()
        sending.join()
        assert stream.code == 1000
        return events


def of(kind: str, events: list[Event]) -> list[Event]:
    return [event for event in events if event["event"] == kind]


def test_events_are_those_of_grpc(service: ServiceProcess, frames: list[pb.Frame]) -> None:
    events = streamed(service, frames, hop=4)
    with GrpcCalls(service.grpc_address) as client:
        answers = list(client.stream(frames, pb.StreamConfig(hop=4)))
    ours = [event["event"] for event in events if event["event"] not in ("credits", "end")]
    assert ours == [kind for answer in answers if (kind := answer.WhichOneof("event"))]
    poses = [answer.pose.people[0] for answer in answers if answer.WhichOneof("event") == "pose"]
    for event, person in zip(of("pose", events), poses, strict=True):
        assert [point["x"] for point in event["people"][0]["keypoints"]] == [point.x for point in person.keypoints]
    (segment,) = [answer.segment for answer in answers if answer.WhichOneof("event") == "segment"]
    (told,) = of("segment", events)
    for name in ("label", "score", "start_s", "end_s", "person_id"):
        assert told[name] == getattr(segment, name)
    assert events[-1]["event"] == "end"


def test_the_first_event_says_what_was_chosen(service: ServiceProcess) -> None:
    with socket(service) as stream:
        stream.say("config", layout="coco17", drop_policy="lossless")
        started = stream.until("started")
    assert (started["model"], started["clip_frames"], started["sample_interval_s"]) == ("lite", 16, 0.1)
    assert started["layout"]["name"] == "coco17"
    assert (started["received_frames"], started["credits"]) == (0, 8)


def test_who_sends_by_credits_loses_no_frame(service: ServiceProcess, frames: list[pb.Frame]) -> None:
    for policy in ("lossless", "latest"):
        with socket(service) as stream:
            stream.say("config", drop_policy=policy, want_keypoints=True)
            sent, poses, most, dropped = 0, 0, 0, 0
            while poses < 40:
                event = stream.next()
                poses += event["event"] == "pose"
                dropped = max(dropped, event.get("dropped_frames", 0))
                while sent < min(40, event["received_frames"] + event["credits"]):
                    stream.connection.send(message(frames[sent]))
                    sent += 1
                most = max(most, sent - poses)
            assert dropped == 0
            assert most <= (12 if policy == "lossless" else 5)


def test_of_a_sender_who_is_too_fast_the_latest_frames_are_followed(
    service: ServiceProcess, frames: list[pb.Frame]
) -> None:
    events = streamed(service, frames, drop_policy="latest", want_keypoints=True)
    poses = of("pose", events)
    assert len(poses) < len(frames)
    assert poses[-1]["frame_id"] == frames[-1].frame_id
    assert poses[-1]["dropped_frames"] == len(frames) - len(poses)
    assert all(event["lag_ms"] >= 0 for event in poses)


def test_a_bad_frame_is_an_event_and_not_the_end(service: ServiceProcess, frames: list[pb.Frame]) -> None:
    bad = [
        pb.Frame(encoded=b"no picture", frame_id=100, timestamp_ns=frames[5].timestamp_ns - 3),
        pb.Frame(encoded=frames[4].encoded, frame_id=101, timestamp_ns=frames[4].timestamp_ns),
        pb.Frame(raw=pb.RawImage(rgb=b"123", width=2, height=2), frame_id=102),
        pb.Frame(raw=pb.RawImage(rgb=b"", width=90_000, height=90_000), frame_id=103),
    ]
    sent = [*frames[:5], *bad, *frames[5:20]]
    events = streamed(service, sent, want_keypoints=True)
    told = {event["frame_id"]: event["code"] for event in of("frame_error", events)}
    assert told == {100: "invalid_image", 101: "invalid_argument", 102: "invalid_image", 103: "payload_too_large"}
    assert len(of("pose", events)) == 20
    with GrpcCalls(service.grpc_address) as client:
        answers = list(client.stream(sent, pb.StreamConfig(want_keypoints=True)))
    errors = [answer for answer in answers if answer.WhichOneof("event") == "frame_error"]
    assert {answer.frame_id: answer.frame_error.code for answer in errors} == told


def test_flush_answers_for_good_what_was_sent(service: ServiceProcess, frames: list[pb.Frame]) -> None:
    with socket(service) as stream:
        stream.say("config", hop=4)
        stream.send(frames[:50])
        stream.say("flush")
        segment = stream.until("segment")
        assert stream.until("flushed")["frame_id"] == frames[49].frame_id
        assert segment["label"] == "jumping_jacks"
        stream.send(frames[50:])
        stream.say("end")
        second = stream.until("segment")
        assert second["start_s"] >= segment["end_s"]
        assert second["person_id"] == segment["person_id"]


def test_people_in_the_callers_boxes_keep_the_callers_ids(service: ServiceProcess, frames: list[pb.Frame]) -> None:
    box = {"id": 4_000_000_000, "box": [60, 10, 200, 220]}
    with socket(service) as stream:
        stream.say("config", people="boxes")
        for frame in frames[:60]:
            stream.say("boxes", boxes=[box, {"id": 7, "box": [0, 0, 40, 40]}])
            stream.connection.send(message(frame))
        stream.say("end")
        events = stream.rest()
    for event in of("pose", events):
        assert [person["id"] for person in event["people"]] == [4_000_000_000, 7]
    assert {event["person_id"] for event in of("action", events)} <= {4_000_000_000, 7}
    assert any(event["person_id"] == 4_000_000_000 and event["actions"] for event in of("action", events))


@pytest.mark.parametrize(
    ("texts", "code", "close"),
    [
        (["no JSON"], "invalid_argument", 1008),
        (["[1]"], "invalid_argument", 1008),
        (['{"type": "flush"}'], "invalid_argument", 1008),
        (['{"type": "config", "modle": "lite"}'], "invalid_argument", 1008),
        (['{"type": "config", "fps": 25}'], "invalid_argument", 1008),
        (['{"type": "config", "model": "none"}'], "unknown_model", 1008),
        (['{"type": "config"}', '{"type": "dance"}'], "invalid_argument", 1008),
        (['{"type": "config"}', '{"type": "boxes", "boxes": [{"id": -1}]}'], "invalid_argument", 1008),
        (['{"type": "config"}', '{"type": "end"}'], "invalid_video", 1008),
        (['{"type": "config", "layout": "' + "x" * 70_000 + '"}'], "invalid_argument", 1008),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_stream_is_told(service: ServiceProcess, texts: list[str], code: str, close: int) -> None:
    with socket(service) as stream:
        for text in texts:
            stream.connection.send(text)
        *_, last = stream.rest()
        assert (last["event"], last["code"], stream.code) == ("error", code, close)
        assert "Traceback" not in json.dumps(last)


def test_a_text_that_is_no_utf8_ends_the_stream_and_is_no_failure_of_the_service(service: ServiceProcess) -> None:
    logged = service.log.stat().st_size
    with socket(service) as stream:
        stream.connection.send(b"\xff\xfe", text=True)
        assert stream.rest() == []
        assert stream.code == 1007
    with socket(service) as stream:
        mask = bytes(4)
        stream.connection.socket.sendall(b"\x81\x82" + mask + b"\xff\xfe" + b"\x88\x82" + mask + b"\x03\xe8")
        assert stream.rest() == []
    assert b"Traceback" not in service.log.read_bytes()[logged:]


def test_pages_of_other_origins_are_refused(service: ServiceProcess) -> None:
    own = f"http://127.0.0.1:{service.http_port}"
    with socket(service, Origin=own) as stream:
        stream.say("config")
        stream.until("started")
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(
            f"ws://127.0.0.1:{service.http_port}/v1/stream", additional_headers={"Origin": "https://elsewhere.example"}
        ),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_streams_beyond_the_limit_are_told_to_come_back(service: ServiceProcess) -> None:
    opened: list[Any] = []
    try:
        for _ in range(16):
            opened.append(socket(service))
            stream: Socket = opened[-1].__enter__()
            stream.say("config")
            stream.until("started")
        with pytest.raises(InvalidStatus) as refused, socket(service):
            pass
        answer = refused.value.response
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        assert json.loads(answer.body or b"")["code"] == "overloaded"
    finally:
        for context in opened:
            context.__exit__(None, None, None)
    with socket(service) as stream:  # the places are free again
        stream.say("config")
        stream.until("started")


def test_when_the_service_stops_everything_is_answered_first(frames: list[pb.Frame]) -> None:
    with running_service() as own, socket(own) as stream:
        stream.say("config")
        stream.send(frames[:5])
        stream.until("pose")
        own.process.send_signal(signal.SIGTERM)
        events = stream.rest()
        assert (events[-1]["event"], events[-1]["code"], stream.code) == ("error", "unavailable", 1013)
        assert own.process.wait(15) == 0
        assert "Traceback" not in own.log.read_text()


def test_a_peer_that_vanishes_while_its_queue_is_full_gives_its_place_back(frames: list[pb.Frame]) -> None:
    with running_service(max_streams="1") as own:
        for _ in range(3):
            with socket(own) as stream:
                stream.say("config", want_keypoints=True)
                stream.until("started")
                stream.send(frames)
                stream.connection.socket.shutdown(SHUT_RDWR)
            assert wait_for(lambda: opens(own), 5)
        assert "Traceback" not in own.log.read_text()


def opens(service: ServiceProcess) -> bool:
    try:
        with socket(service):
            return True
    except InvalidStatus:
        return False
