"""gRPC against the real service, and its parity with REST: same bytes, same numbers, same error codes."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import av
import grpc
import httpx
import numpy as np
import pytest
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from service.testing.running import ServiceProcess
from tests.conftest import SAMPLES
from tests.grpc_calls import GrpcCalls, frames_of
from tests.pictures import huge_png

BOX = (225, 70, 190, 345)


@pytest.fixture(scope="module")
def client(service: ServiceProcess) -> Iterator[GrpcCalls]:
    with GrpcCalls(service.grpc_address) as client:
        yield client


@pytest.fixture(scope="module")
def raw_frames(clip_mp4: bytes) -> list[pb.Frame]:
    """The very pixels that the service decodes from the clip."""
    with av.open(io.BytesIO(clip_mp4), "r") as container:
        frames = container.decode(container.streams.video[0])
        pixels = [(frame.to_ndarray(format="rgb24"), presented_s(frame)) for frame in frames]
    return [
        pb.Frame(
            raw=pb.RawImage(rgb=image.tobytes(), width=image.shape[1], height=image.shape[0]),
            frame_id=i,
            timestamp_ns=round(time_s * 1e9),
        )
        for i, (image, time_s) in enumerate(pixels)
    ]


def presented_s(frame: av.VideoFrame) -> float:
    assert frame.pts is not None
    assert frame.time_base is not None
    return float(frame.pts * frame.time_base)


def numbers(people: list[dict[str, Any]]) -> np.ndarray:
    return np.array([[[k["x"] or 0, k["y"] or 0, k["score"]] for k in p["keypoints"]] for p in people])


def test_models(client: GrpcCalls) -> None:
    (lite,) = [m for m in client.models() if m.name == "lite"]
    assert lite.ready
    assert lite.crop_margin == 1.1
    assert len(lite.weights_sha256) == 64
    assert (lite.dimensions, lite.clip_frames, lite.sample_interval_s) == (3, 16, 0.1)
    assert len(lite.actions) == 15


@pytest.mark.parametrize("boxes", [[], [BOX], [BOX, (100, 60, 200, 300)]])
@pytest.mark.parametrize("layout", ["", "mpii16", "openpose18"])
def test_pose_has_the_same_numbers_as_over_rest(
    service: ServiceProcess,
    client: GrpcCalls,
    person_jpeg: bytes,
    boxes: list[tuple[float, float, float, float]],
    layout: str,
) -> None:
    over_grpc = client.pose(person_jpeg, boxes=boxes, layout=layout)
    data = {"boxes": json.dumps(boxes), "layout": layout}
    over_rest = httpx.post(f"{service.url}/v1/pose", files={"image": person_jpeg}, data=data).json()
    theirs = [
        {"keypoints": [{"x": k.x, "y": k.y, "score": k.score} for k in p.keypoints], "score": p.score}
        for p in over_grpc.people
    ]
    assert np.array_equal(numbers(theirs), numbers(over_rest["people"]))
    assert [p["score"] for p in theirs] == [p["score"] for p in over_rest["people"]]
    assert list(over_grpc.layout.joints) == over_rest["layout"]["joints"]
    assert (over_grpc.image_width, over_grpc.image_height) == (640, 480)
    assert over_grpc.version == over_rest["version"]


def test_a_clip_has_the_same_scores_as_over_rest(
    service: ServiceProcess, client: GrpcCalls, clip_mp4: bytes, raw_frames: list[pb.Frame]
) -> None:
    over_grpc = client.classify(raw_frames)
    over_rest = httpx.post(f"{service.url}/v1/actions", files={"video": clip_mp4}, timeout=60).json()
    assert [(a.label, a.score) for a in over_grpc.actions] == [(a["label"], a["score"]) for a in over_rest["actions"]]
    assert [(s.start_s, s.end_s, s.label) for s in over_grpc.segments] == [
        (s["start_s"], s["end_s"], s["label"]) for s in over_rest["segments"]
    ]
    assert over_grpc.frames == 100


@pytest.mark.parametrize(
    ("request_", "data", "code"),
    [
        (pb.EstimatePoseRequest(image=b""), {}, "invalid_image"),
        (pb.EstimatePoseRequest(image=b"text"), {}, "invalid_image"),
        (pb.EstimatePoseRequest(image=b"GIF89a..."), {}, "unsupported_media_type"),
        (pb.EstimatePoseRequest(image=huge_png(20_000)), {}, "payload_too_large"),
        (pb.EstimatePoseRequest(image=b"PERSON", model="nobody"), {"model": "nobody"}, "unknown_model"),
        (pb.EstimatePoseRequest(image=b"PERSON", layout="coco99"), {"layout": "coco99"}, "invalid_argument"),
        (
            pb.EstimatePoseRequest(image=b"PERSON", boxes=[pb.Box(x=9999, y=0, width=5, height=5)]),
            {"boxes": "[[9999, 0, 5, 5]]"},
            "invalid_argument",
        ),
        (
            pb.EstimatePoseRequest(image=b"PERSON", boxes=[pb.Box(x=float("nan"), y=0, width=5, height=5)]),
            {"boxes": "[[NaN, 0, 5, 5]]"},
            "invalid_argument",
        ),
    ],
)
def test_errors_have_the_same_code_and_text_as_over_rest(
    service: ServiceProcess, person_jpeg: bytes, request_: pb.EstimatePoseRequest, data: dict[str, str], code: str
) -> None:
    if request_.image == b"PERSON":
        request_.image = person_jpeg
    with grpc.insecure_channel(service.grpc_address) as channel, pytest.raises(grpc.RpcError) as caught:
        pb_grpc.InferenceServiceStub(channel).EstimatePose(request_)
    over_rest = httpx.post(f"{service.url}/v1/pose", files={"image": request_.image}, data=data).json()
    assert dict(caught.value.trailing_metadata())["deephar-code"] == code == over_rest["code"]
    assert caught.value.details() == over_rest["detail"]


def test_streaming_names_the_action_while_frames_still_come(client: GrpcCalls, raw_frames: list[pb.Frame]) -> None:
    """The first action is there although the sender has not ended, and nothing is sent before it is read."""
    sent = []

    def slowly() -> Iterator[pb.Frame]:
        for frame in raw_frames:
            sent.append(frame.frame_id)
            yield frame

    events = list(client.stream(slowly(), pb.StreamConfig(top_k=2)))
    kinds = [event.WhichOneof("event") for event in events]
    actions = [event for event in events if event.WhichOneof("event") == "action"]
    assert kinds.count("pose") == 40
    assert len(actions) == 7
    first = actions[0]
    assert (first.action.start_s, first.action.first_frame_id) == (0.0, 0)
    assert first.action.end_s == pytest.approx(1.5, abs=0.05)
    assert first.frame_id == pytest.approx(38, abs=1)
    assert len(first.action.actions) == 2
    best = [a.action.actions[0].label for a in actions]
    assert max(set(best), key=best.count) == "jumping_jacks"
    assert kinds[-1] == "segment"
    assert events[-1].segment.end_s == actions[-1].action.end_s
    assert all(event.dropped_frames == 0 for event in events)
    assert all(event.lag_ms >= 0 for event in events)


def test_the_first_action_does_not_wait_for_the_end(client: GrpcCalls, raw_frames: list[pb.Frame]) -> None:
    ended = []

    def endless() -> Iterator[pb.Frame]:
        yield from raw_frames[:40]
        time.sleep(20)
        ended.append(True)

    for event in client.stream(endless()):
        if event.WhichOneof("event") == "action":
            break
    assert not ended


def test_keypoints_of_every_frame_on_request(client: GrpcCalls, raw_frames: list[pb.Frame]) -> None:
    config = pb.StreamConfig(want_keypoints=True, layout="coco17")
    events = list(client.stream(raw_frames[:20], config))
    poses = [event for event in events if event.WhichOneof("event") == "pose"]
    assert [event.frame_id for event in poses] == list(range(20))
    assert len(poses[-1].pose.people[0].keypoints) == 17


def test_jpeg_frames_and_a_hop(client: GrpcCalls) -> None:
    events = list(client.stream(frames_of(str(SAMPLES / "jumping_jacks.mp4")), pb.StreamConfig(hop=16)))
    assert [e.WhichOneof("event") for e in events].count("action") == 2


def test_a_person_in_a_box_is_followed(client: GrpcCalls, raw_frames: list[pb.Frame]) -> None:
    box = pb.Box(x=225, y=70, width=190, height=345)
    answer = client.classify(raw_frames, pb.StreamConfig(box=box))
    assert answer.actions[0].label == "jumping_jacks"


@pytest.mark.parametrize(
    ("requests", "code"),
    [
        ([], "invalid_argument"),
        ([pb.StreamVideoRequest(frame=pb.Frame(encoded=b"x"))], "invalid_argument"),
        ([pb.StreamVideoRequest(config=pb.StreamConfig(model="nobody"))], "unknown_model"),
        ([pb.StreamVideoRequest(config=pb.StreamConfig(hop=99))], "invalid_argument"),
        ([pb.StreamVideoRequest(config=pb.StreamConfig(top_k=99))], "invalid_argument"),
        ([pb.StreamVideoRequest(config=pb.StreamConfig())], "invalid_video"),
        ([pb.StreamVideoRequest(config=pb.StreamConfig())] * 2, "invalid_argument"),
    ],
)
def test_bad_streams_get_the_right_error(
    service: ServiceProcess, requests: list[pb.StreamVideoRequest], code: str
) -> None:
    with grpc.insecure_channel(service.grpc_address) as channel:
        stub = pb_grpc.InferenceServiceStub(channel)
        for call in (lambda: stub.ClassifyClip(iter(requests)), lambda: list(stub.StreamVideo(iter(requests)))):
            with pytest.raises(grpc.RpcError) as caught:
                call()
            assert dict(caught.value.trailing_metadata())["deephar-code"] == code
            assert "Traceback" not in caught.value.details()


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (pb.Frame(encoded=b"junk", frame_id=1, timestamp_ns=10**10), "invalid_image"),
        (pb.Frame(frame_id=1, timestamp_ns=10**10), "invalid_argument"),
        (pb.Frame(raw=pb.RawImage(rgb=bytes(10), width=4, height=4), frame_id=1), "invalid_image"),
        (pb.Frame(encoded=b"junk", frame_id=1, timestamp_ns=2**62 + 1), "invalid_argument"),
        (pb.Frame(encoded=b"junk", boxes=[pb.TrackedBox(id=1, box=pb.Box(width=9, height=9))]), "invalid_argument"),
    ],
)
def test_a_bad_frame_ends_a_finite_clip_but_not_a_stream(
    client: GrpcCalls, person_jpeg: bytes, bad: pb.Frame, code: str
) -> None:
    good = [pb.Frame(encoded=person_jpeg, frame_id=i, timestamp_ns=i * 10**9) for i in range(10)]
    bad.timestamp_ns = bad.timestamp_ns or 5 * 10**8
    frames = [good[0], bad, *good[1:]] if bad.timestamp_ns < 10**9 else [*good, bad]
    with pytest.raises(grpc.RpcError) as caught:
        client.classify(frames)
    assert dict(caught.value.trailing_metadata())["deephar-code"] == code
    events = list(client.stream(frames))
    assert [e.frame_error.code for e in events if e.WhichOneof("event") == "frame_error"] == [code]
    assert sum(e.WhichOneof("event") == "pose" for e in events) == len(good)


def test_time_that_runs_backwards(client: GrpcCalls, person_jpeg: bytes) -> None:
    """A little: the frame is left out. Far: the sender's clock was set, and the stream begins anew."""
    times_ns = (10**10, 10**10 - 1, 10**10 + 10**8, 0, 10**8)
    frames = [pb.Frame(encoded=person_jpeg, frame_id=i, timestamp_ns=t) for i, t in enumerate(times_ns)]
    with pytest.raises(grpc.RpcError, match="rise"):
        client.classify(frames)
    events = list(client.stream(frames))
    assert [e.frame_id for e in events if e.WhichOneof("event") == "frame_error"] == [1]
    assert [e.frame_id for e in events if e.WhichOneof("event") == "pose"] == [0, 2, 3, 4]


def test_health(service: ServiceProcess) -> None:
    with grpc.insecure_channel(service.grpc_address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", "deephar.v1.InferenceService"):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection(service: ServiceProcess, version: str) -> None:
    with grpc.insecure_channel(service.grpc_address) as channel:
        ask = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )
        (answer,) = ask(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    assert "deephar.v1.InferenceService" in {s.name for s in answer.list_services_response.service}
