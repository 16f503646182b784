"""The gRPC server on a fake of the inference server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import pytest
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc

from service.access.access import Access
from service.errors import InvalidArgument
from service.rpc.calls import parsed
from service.rpc.server import GrpcServer
from service.testing.ports import free_loopback_port
from tests.conftest import SAMPLES
from tests.grpc_calls import frames_of
from tests.unit.parts import Gateway, with_gateway

PERSON = (SAMPLES / "person.jpg").read_bytes()


def called(work: Callable[[pb_grpc.InferenceServiceStub, Gateway], Awaitable[None]], **settings: object) -> None:
    port = free_loopback_port()

    async def run(parts: Gateway) -> None:
        server = GrpcServer(parts.pipeline, parts.readiness, parts.stopping, Access(parts.pipeline.settings))
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await work(pb_grpc.InferenceServiceStub(channel), parts)
        await server.stop(0)

    with_gateway(run, grpc_port=port, **settings)


async def clip(config: pb.StreamConfig, count: int) -> AsyncIterator[pb.StreamVideoRequest]:
    yield pb.StreamVideoRequest(config=config)
    for i, frame in enumerate(frames_of(str(SAMPLES / "jumping_jacks.mp4"))):
        if i == count:
            return
        yield pb.StreamVideoRequest(frame=frame)


def test_boxes_are_answered_in_their_order() -> None:
    async def work(stub: pb_grpc.InferenceServiceStub, _: Gateway) -> None:
        boxes = [pb.Box(x=90, y=20, width=100, height=300), pb.Box(x=10, y=20, width=100, height=300)]
        answer = await stub.EstimatePose(pb.EstimatePoseRequest(image=PERSON, boxes=boxes))
        assert [person.box for person in answer.people] == boxes
        assert list(answer.layout.joints) == [keypoint.name for keypoint in answer.people[0].keypoints]

    called(work)


def test_events_of_a_stream() -> None:
    async def work(stub: pb_grpc.InferenceServiceStub, _: Gateway) -> None:
        events = [event async for event in stub.StreamVideo(clip(pb.StreamConfig(want_keypoints=True), 50))]
        poses = [event.frame_id for event in events if event.WhichOneof("event") == "pose"]
        assert poses == list(range(50))
        assert [event.WhichOneof("event") for event in events][-1] == "segment"

    called(work)


def test_a_clip_has_one_answer() -> None:
    async def work(stub: pb_grpc.InferenceServiceStub, _: Gateway) -> None:
        answer = await stub.ClassifyClip(clip(pb.StreamConfig(top_k=3), 50))
        assert (answer.frames, len(answer.actions), answer.actions[0].label) == (50, 3, "baseball_pitch")

    called(work)


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (pb.EstimatePoseRequest(image=b"nothing"), grpc.StatusCode.INVALID_ARGUMENT, "invalid_image"),
        (pb.EstimatePoseRequest(image=PERSON, model="x"), grpc.StatusCode.NOT_FOUND, "unknown_model"),
        (pb.EstimatePoseRequest(image=PERSON, max_people=999), grpc.StatusCode.INVALID_ARGUMENT, "invalid_argument"),
        (pb.EstimatePoseRequest(image=PERSON, min_score=1.5), grpc.StatusCode.INVALID_ARGUMENT, "invalid_argument"),
        (
            pb.EstimatePoseRequest(image=PERSON, min_score=float("nan")),
            grpc.StatusCode.INVALID_ARGUMENT,
            "invalid_argument",
        ),
        (pb.EstimatePoseRequest(image=PERSON, boxes=[pb.Box()]), grpc.StatusCode.INVALID_ARGUMENT, "invalid_argument"),
    ],
)
def test_errors_have_a_status_and_a_code(request_: pb.EstimatePoseRequest, status: grpc.StatusCode, code: str) -> None:
    async def work(stub: pb_grpc.InferenceServiceStub, _: Gateway) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.EstimatePose(request_)
        assert caught.value.code() == status
        assert dict(caught.value.trailing_metadata())["deephar-code"] == code

    called(work)


def test_a_stream_begins_with_its_config() -> None:
    async def work(stub: pb_grpc.InferenceServiceStub, _: Gateway) -> None:
        for requests in ([], [pb.StreamVideoRequest(frame=pb.Frame(encoded=PERSON))]):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.ClassifyClip(iter(requests))
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT

    called(work)


def test_a_full_service_and_a_place_that_is_free_again() -> None:
    async def work(stub: pb_grpc.InferenceServiceStub, parts: Gateway) -> None:
        with parts.pipeline.streams.enter(), pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ClassifyClip(clip(pb.StreamConfig(), 5))
        assert dict(caught.value.trailing_metadata())["deephar-code"] == "overloaded"
        call = stub.StreamVideo(clip(pb.StreamConfig(), 50))
        await call.read()
        call.cancel()
        async with asyncio.timeout(5):
            while parts.pipeline.streams.inside:
                await asyncio.sleep(0.01)
        assert (await stub.ClassifyClip(clip(pb.StreamConfig(), 20))).frames == 20

    called(work, max_streams=1)


def refusal(requests: list[pb.StreamVideoRequest]) -> tuple[grpc.StatusCode, str, str]:
    """Status, code and text of the error of a stream."""
    found: list[tuple[grpc.StatusCode, str, str]] = []

    async def work(stub: pb_grpc.InferenceServiceStub, _: Gateway) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ClassifyClip(iter(requests))
        error = caught.value
        found.append((error.code(), dict(error.trailing_metadata())["deephar-code"], error.details() or ""))

    called(work, max_image_pixels=40_000_000)
    return found[0]


def raw(width: int, height: int, at: int, value: int = 0) -> pb.StreamVideoRequest:
    picture = pb.RawImage(width=width, height=height, rgb=bytes([value]) * (3 * width * height))
    return pb.StreamVideoRequest(frame=pb.Frame(raw=picture, frame_id=at, timestamp_ns=at * 100_000_000))


CONFIG = pb.StreamVideoRequest(config=pb.StreamConfig())


def test_a_picture_of_too_many_bytes_has_the_code_of_its_error() -> None:
    frame = pb.StreamVideoRequest(frame=pb.Frame(encoded=bytes(60 * 2**20)))
    status, code, _ = refusal([CONFIG, frame])
    assert (status, code) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "payload_too_large")


def test_raw_frames_may_have_as_many_pixels_as_pictures() -> None:
    status, code, _ = refusal([CONFIG, raw(6400, 6300, 0)])
    assert (status, code) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "payload_too_large")

    async def work(stub: pb_grpc.InferenceServiceStub, _: Gateway) -> None:
        assert [event async for event in stub.StreamVideo(iter([CONFIG, raw(6400, 6200, 0)]))]

    called(work, max_image_pixels=40_000_000)


@pytest.mark.parametrize("config", [pb.StreamConfig(following=7), pb.StreamConfig(drop_policy=9)])  # type: ignore[arg-type]
def test_values_that_an_enum_has_not_are_refused(config: pb.StreamConfig) -> None:
    status, code, text = refusal([pb.StreamVideoRequest(config=config)])
    assert (status, code) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_argument")
    assert "unknown value" in text


def test_frames_of_another_size_begin_new_tracks_and_their_time_comes_back() -> None:
    async def work(stub: pb_grpc.InferenceServiceStub, _: Gateway) -> None:
        config = pb.StreamVideoRequest(config=pb.StreamConfig(following=pb.FOLLOWING_ALL))
        sizes = [(64, 48)] * 18 + [(32, 24)] * 18
        requests = [config, *(raw(width, height, i, i) for i, (width, height) in enumerate(sizes))]
        events = [event async for event in stub.StreamVideo(iter(requests))]
        poses = [event for event in events if event.WhichOneof("event") == "pose"]
        assert [event.timestamp_ns for event in poses] == [i * 100_000_000 for i in range(36)]
        assert [{p.id for p in event.pose.people} for event in poses] == [{1}] * 18 + [{2}] * 18
        assert all(event.pose.people[0].box.width < 32 for event in poses[18:])
        for event in events:
            if event.WhichOneof("event") == "action":
                assert event.action.end_s < 1.75 or event.action.start_s > 1.75

    called(work)


def test_lists_within_a_frame_are_counted_before_they_are_read() -> None:
    box = pb.TrackedBox(box=pb.Box())
    few = pb.StreamVideoRequest(frame=pb.Frame(encoded=bytes(range(256)) * 100, boxes=[box] * 100))
    assert parsed(pb.StreamVideoRequest, few.SerializeToString(), 10_000) == few
    many = pb.StreamVideoRequest(frame=pb.Frame(boxes=[box] * 20_000))
    with pytest.raises(InvalidArgument, match="over 10000 fields"):
        parsed(pb.StreamVideoRequest, many.SerializeToString(), 10_000)


def test_limits_of_calls_are_settings() -> None:
    async def work(stub: pb_grpc.InferenceServiceStub, _: Gateway) -> None:
        boxes = [pb.Box(x=1, y=1, width=9, height=9)] * 30
        with pytest.raises(grpc.RpcError, match="over 20 fields"):
            await stub.EstimatePose(pb.EstimatePoseRequest(image=PERSON, boxes=boxes))

    called(work, max_message_fields=20)


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"max_questions": 1}, grpc.StatusCode.RESOURCE_EXHAUSTED),
        ({"max_connection_calls": 1}, grpc.StatusCode.DEADLINE_EXCEEDED),  # it waits for the first one's end
    ],
)
def test_the_number_of_calls_at_once_is_a_setting(settings: dict[str, int], status: grpc.StatusCode) -> None:
    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async def work(stub: pb_grpc.InferenceServiceStub, parts: Gateway) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{parts.pipeline.settings.grpc_port}") as channel:
            first = channel.stream_unary("/deephar.v1.InferenceService/ListModels")(never())
            await asyncio.sleep(0.2)
            second = pb_grpc.InferenceServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await second.ListModels(pb.ListModelsRequest(), timeout=1)
            assert caught.value.code() == status
            first.cancel()
            await asyncio.sleep(0.2)
            assert (await second.ListModels(pb.ListModelsRequest(), timeout=10)).models

    called(work, **settings)


def test_how_long_a_connection_stays_without_a_call_is_a_setting() -> None:
    async def work(stub: pb_grpc.InferenceServiceStub, parts: Gateway) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{parts.pipeline.settings.grpc_port}") as channel:
            await pb_grpc.InferenceServiceStub(channel).ListModels(pb.ListModelsRequest())
            assert channel.get_state() == grpc.ChannelConnectivity.READY
            async with asyncio.timeout(10):
                await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)

    called(work, grpc_idle_s=0.3)
