"""The client package against the real service: gRPC and REST, synchronous and asynchronous, give the same.

A connection that is lost in mid-stream is not seen in the events.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import cv2
import numpy as np
import pytest
from deephar import AsyncClient, Camera, Client, Flush, Frame
from deephar.errors import (
    DeadlineExceeded,
    DeepharError,
    InvalidArgument,
    InvalidImage,
    InvalidVideo,
    UnknownModel,
    Unreachable,
)
from deephar.events import ActionEvent, Event, PoseEvent, SegmentEvent, Started
from deephar.results import Json
from deephar.video import NotAVideo, frames_of

from service.testing.ports import free_loopback_port
from service.testing.running import ServiceProcess, running_service
from tests.conftest import SAMPLES
from tests.integration.faulty_proxy import FaultyProxy, faulty_proxy
from tests.integration.waiting import wait_for

VIDEO = SAMPLES / "jumping_jacks.mp4"
PERSON = SAMPLES / "person.jpg"
Ask: TypeAlias = Callable[[Any], Any]


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return list(frames_of(VIDEO))


@pytest.fixture(scope="module")
def addresses(service: ServiceProcess) -> dict[str, str]:
    return {"grpc": service.grpc_address, "rest": service.url}


def timeless(answer: Any) -> Json:
    """Returns the JSON of an answer or an event, without how long it took."""
    document: Json = answer.to_dict()
    return {name: value for name, value in document.items() if name not in ("timing_ms", "lag_ms")}


async def asked(address: str, call: Callable[[AsyncClient], Any]) -> Any:
    async with AsyncClient(address) as client:
        answer = call(client)
        return [event async for event in answer] if hasattr(answer, "__aiter__") else await answer


def everywhere(addresses: dict[str, str], call: Callable[[Any], Any]) -> list[Any]:
    """Returns what each of the four clients gives for a call."""
    answers = []
    for address in addresses.values():
        with Client(address) as client:
            answer = call(client)
            answers.append(list(answer) if hasattr(answer, "__next__") else answer)
        answers.append(asyncio.run(asked(address, call)))
    return answers


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"boxes": [(225, 70, 190, 345)], "camera": Camera(1145, 1145, 320, 240, 4000)},
        {"layout": "coco17", "flip": True, "max_people": 1},
        {"min_score": 1.0},
        {"effort": "fast", "layout": "openpose18"},
    ],
)
def test_a_pose_is_the_same_by_every_way(addresses: dict[str, str], options: dict[str, Any]) -> None:
    answers = everywhere(addresses, lambda client: client.pose(PERSON, **options))
    documents = [timeless(answer) for answer in answers]
    assert documents == [documents[0]] * 4
    assert len(answers[0].people) == (0 if options.get("min_score") else 1)
    assert set(answers[0].timing_ms) == set(answers[2].timing_ms)


def test_a_picture_may_be_a_path_bytes_or_pixels(addresses: dict[str, str]) -> None:
    pixels = cv2.cvtColor(cv2.imread(str(PERSON), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    with Client(addresses["grpc"]) as client:
        answers = [client.pose(picture) for picture in (PERSON, str(PERSON), PERSON.read_bytes(), pixels)]
    assert [timeless(answer) for answer in answers[:3]] == [timeless(answers[0])] * 3
    keypoints = [answer.to_numpy().keypoints for answer in answers]
    np.testing.assert_allclose(keypoints[3], keypoints[0], atol=3)  # another decoder
    drawn = answers[0].draw(np.asarray(pixels, np.uint8))
    assert drawn.shape == pixels.shape
    assert (drawn != pixels).any()


def test_a_file_is_the_same_by_every_way(addresses: dict[str, str]) -> None:
    """Over REST the service reads it, over gRPC the client, which makes a JPEG of each frame."""
    answers = everywhere(addresses, lambda client: client.classify(VIDEO, top_k=3))
    for answer in answers:
        assert answer.video.to_dict() == answers[0].video.to_dict()
        assert answer.actions[0].label == "jumping_jacks"
        assert answer.actions[0].score == pytest.approx(answers[0].actions[0].score, abs=0.05)
        assert [(s.start_s, s.end_s, s.label) for s in answer.segments] == [(0.0, 3.92, "jumping_jacks")]


def test_frames_are_the_same_by_every_way(addresses: dict[str, str], frames: list[Frame]) -> None:
    later = [Frame(frame.picture, frame.time_s + 10, frame.frame_id) for frame in frames[:60]]
    answers = everywhere(addresses, lambda client: client.classify(later, people="all"))
    documents = [timeless(answer) | {"video": None} for answer in answers]
    assert documents == [documents[0]] * 4
    assert answers[0].segments[0].start_s == 10.0
    facts = [answer.video for answer in answers]
    assert {(video.frames, video.fps, video.duration_s) for video in facts} == {(60, 25.0, 2.4)}


def test_pixels_with_a_rate(addresses: dict[str, str]) -> None:
    pixels = cv2.cvtColor(cv2.imread(str(PERSON), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    few = [pixels] * 5

    for events in everywhere(addresses, lambda client: client.stream(few, fps=10, want_keypoints=True)):
        assert [event.time_s for event in events if isinstance(event, PoseEvent)] == [0.0, 0.1, 0.2, 0.3, 0.4]
    answers = everywhere(addresses, lambda client: client.classify(few, fps=10))
    assert {answer.reason for answer in answers} == {"repeated_frames"}
    assert all((answer.video.width, answer.video.height) == (640, 480) for answer in answers)


def test_a_stream_is_the_same_by_every_way(addresses: dict[str, str], frames: list[Frame]) -> None:
    items = [*frames[:60], Flush(), *frames[60:]]
    runs = everywhere(addresses, lambda client: client.stream(items, people="all", top_k=2))
    documents = [[timeless(event) for event in events] for events in runs]
    assert documents == [documents[0]] * 4
    kinds = [document["event"] for document in documents[0]]
    assert kinds[0] == "started"
    assert kinds.count("flushed") == 1
    assert kinds[kinds.index("flushed") - 1] == kinds[-1] == "segment"


def test_the_models(addresses: dict[str, str]) -> None:
    answers = everywhere(addresses, lambda client: client.models())
    for (lite,) in answers:
        assert (lite.name, lite.ready, lite.dimensions, lite.clip_frames) == ("lite", True, 3, 16)
        assert lite.layout == answers[0][0].layout
        assert lite.actions == answers[0][0].actions
        for name in ("crop", "weights", "weights_sha256"):
            assert lite.card[name] == answers[0][0].card[name]


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda client: client.pose(b"no picture"), InvalidImage),
        (lambda client: client.classify([]), InvalidVideo),
        (lambda client: client.stream([]), InvalidVideo),
        (lambda client: client.pose(PERSON, model="none"), UnknownModel),
        (lambda client: client.classify(VIDEO, model="none"), UnknownModel),
        (lambda client: client.stream(VIDEO, model="none"), UnknownModel),
    ],
)
def test_errors_have_their_code(addresses: dict[str, str], call: Ask, kind: type[DeepharError]) -> None:
    texts = set()
    for address in addresses.values():
        with Client(address) as client, pytest.raises(kind) as caught:
            list(call(client))
        texts.add(caught.value.detail)
        with pytest.raises(kind) as caught:
            asyncio.run(asked(address, call))
        texts.add(str(caught.value))
    assert len(texts) == 1


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_what_the_frames_raise_reaches_the_caller(
    addresses: dict[str, str], frames: list[Frame], transport: str
) -> None:
    def broken() -> Iterator[Frame]:
        yield from frames[:3]
        raise NotAVideo("the rest is damaged")

    calls: list[Ask] = [lambda client: client.classify(broken()), lambda client: client.stream(broken())]
    for call in calls:
        with Client(addresses[transport]) as client, pytest.raises(NotAVideo, match="the rest is damaged"):
            list(call(client))
        with pytest.raises(NotAVideo, match="the rest is damaged"):
            asyncio.run(asked(addresses[transport], call))


@pytest.mark.parametrize("transport", ["grpc", "rest"])
@pytest.mark.parametrize(
    ("last", "kind", "why"),
    [
        (RuntimeError("a camera of the caller's"), RuntimeError, "of the caller's"),
        (np.zeros((4, 4, 3)), InvalidArgument, "float64"),
    ],
)
def test_frames_that_come_late_and_cannot_be_sent(
    addresses: dict[str, str], frames: list[Frame], transport: str, last: Any, kind: type[Exception], why: str
) -> None:
    """The caller waits for events meanwhile, of which none is to come."""

    def broken() -> Iterator[Frame]:
        yield frames[0]
        time.sleep(0.5)
        if isinstance(last, Exception):
            raise last
        yield Frame(last, 0.1, 1)

    def call(client: Any) -> Any:
        return client.stream(broken(), event_timeout_s=20)

    began_s = time.monotonic()
    with Client(addresses[transport]) as client, pytest.raises(kind, match=why):
        list(call(client))
    with pytest.raises(kind, match=why):
        asyncio.run(asked(addresses[transport], call))
    assert time.monotonic() - began_s < 20


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_frames_that_do_not_come_keep_nobody(addresses: dict[str, str], frames: list[Frame], transport: str) -> None:
    """In a program of its own, which must end."""
    program = f"""
import asyncio, threading
from deephar import AsyncClient, Client
from deephar.errors import DeadlineExceeded

def blocked():
    yield from ()
    threading.Event().wait()

async def later():
    async with AsyncClient({addresses[transport]!r}) as client:
        try:
            await client.classify(blocked(), timeout_s=0.5)
        except DeadlineExceeded as error:
            print(error.code)
        try:
            async with asyncio.timeout(0.5):
                async for _ in client.stream(blocked()):
                    pass
        except TimeoutError:
            print("cancelled")

try:
    Client({addresses[transport]!r}).classify(blocked(), timeout_s=0.5)
except DeadlineExceeded as error:
    print(error.code)
asyncio.run(later())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["deadline_exceeded", "deadline_exceeded", "cancelled"], "")


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_an_array_may_be_used_again(addresses: dict[str, str], frames: list[Frame], transport: str) -> None:
    pixels = np.zeros((480, 640, 3), np.uint8)

    def into_one_array() -> Iterator[np.ndarray[Any, Any]]:
        for frame in frames[:60]:
            decoded = cv2.imdecode(np.frombuffer(frame.picture, np.uint8), cv2.IMREAD_COLOR)
            assert decoded is not None
            pixels[:] = decoded[..., ::-1]
            yield pixels
            pixels[:] = 0

    with Client(addresses[transport]) as client:
        events = list(client.stream(into_one_array(), fps=25, want_keypoints=True))
        facts = client.classify(into_one_array(), fps=25)
    poses = [event for event in events if isinstance(event, PoseEvent)]
    assert [len(pose.people) for pose in poses] == [1] * 60
    assert facts.actions[0].label == "jumping_jacks"


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_whoever_leaves_ends_the_stream(addresses: dict[str, str], frames: list[Frame], transport: str) -> None:
    sent = []

    def endless() -> Iterator[Frame]:
        number = 0
        while True:
            sent.append(number)
            yield Frame(frames[number % len(frames)].picture, number / 25, number)
            number += 1

    with Client(addresses[transport]) as client:
        for event in client.stream(endless()):
            if isinstance(event, ActionEvent):
                break
        time.sleep(0.5)
        before = len(sent)
        time.sleep(0.5)
        assert len(sent) == before


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_of_latest_frames_some_are_dropped_and_counted(
    addresses: dict[str, str], frames: list[Frame], transport: str
) -> None:
    with Client(addresses[transport]) as client:
        events = list(client.stream(frames, drop_policy="latest", want_keypoints=True))
    last = events[-1]
    assert not isinstance(last, Started)
    assert 0 < last.dropped_frames < len(frames)
    poses = [event for event in events if isinstance(event, PoseEvent)]
    assert poses[-1].frame_id == frames[-1].frame_id


def same_story(events: list[Event], undisturbed: list[Event]) -> None:
    """Checks that all is told once. Scores depend a little on the frames before."""
    assert [told(event) for event in events] == [told(event) for event in undisturbed]
    for event, other in zip(events, undisturbed, strict=True):
        if isinstance(event, SegmentEvent) and isinstance(other, SegmentEvent):
            assert event.score == pytest.approx(other.score, abs=0.05)


def told(event: Event) -> tuple[Any, ...]:
    if isinstance(event, Started):
        return (event,)
    told = (event.event, event.frame_id, event.time_s)
    if isinstance(event, PoseEvent):
        return *told, tuple(person.id for person in event.people)
    if isinstance(event, ActionEvent):
        return *told, event.person_id, event.start_s, event.end_s, event.first_frame_id, event.actions[0].label
    if isinstance(event, SegmentEvent):
        return *told, event.person_id, event.start_s, event.end_s, event.label
    return told


@pytest.fixture(params=["grpc", "rest"])
def proxy(service: ServiceProcess, request: pytest.FixtureRequest) -> Iterator[tuple[FaultyProxy, str]]:
    """A proxy before the service, and its address as the client takes it."""
    port = service.grpc_port if request.param == "grpc" else service.http_port
    with faulty_proxy(f"127.0.0.1:{port}") as proxy:
        yield proxy, proxy.address if request.param == "grpc" else f"http://{proxy.address}"


@pytest.mark.parametrize(("people", "resets"), [("all", (3,)), ("main", (5, 30)), ("all", (20, 21, 45))])
def test_a_lost_connection_is_not_seen(
    proxy: tuple[FaultyProxy, str], frames: list[Frame], people: Any, resets: tuple[int, ...]
) -> None:
    line, address = proxy
    with Client(address) as client:
        undisturbed = list(client.stream(frames, people=people))
        events = []
        for event in client.stream(frames, people=people):
            events.append(event)
            if len(events) in resets:
                line.reset()
    same_story(events, undisturbed)


def test_a_lost_connection_is_not_seen_by_tasks(proxy: tuple[FaultyProxy, str], frames: list[Frame]) -> None:
    line, address = proxy

    async def streamed(resets: tuple[int, ...]) -> list[Event]:
        events = []
        async with AsyncClient(address) as client:
            async for event in client.stream(frames):
                events.append(event)
                if len(events) in resets:
                    line.reset()
        return events

    same_story(asyncio.run(streamed((5, 30))), asyncio.run(streamed(())))


def after_an_action(address: str, frames: list[Frame], what: Callable[[], None], **options: Any) -> None:
    """Streams, and does something with the first action."""
    with Client(address) as client:
        for event in client.stream(frames, **options):
            if isinstance(event, ActionEvent):
                what()


def _away(line: FaultyProxy) -> None:
    line.lead_to(f"127.0.0.1:{free_loopback_port()}")
    line.reset()


def test_without_reconnection_a_lost_stream_is_an_error(proxy: tuple[FaultyProxy, str], frames: list[Frame]) -> None:
    line, address = proxy
    with pytest.raises(Unreachable):
        after_an_action(address, frames, line.reset, reconnect=False)


def test_a_gateway_that_does_not_come_back_is_an_error(proxy: tuple[FaultyProxy, str], frames: list[Frame]) -> None:
    line, address = proxy
    with pytest.raises(Unreachable, match="make serve"):
        after_an_action(address, frames, lambda: _away(line), event_timeout_s=1.0)


def test_a_service_that_hangs_is_an_error(proxy: tuple[FaultyProxy, str], frames: list[Frame]) -> None:
    line, address = proxy
    with pytest.raises(DeadlineExceeded, match="no event came within 1 s"):
        after_an_action(address, frames, line.flowing.clear, event_timeout_s=1.0)


def test_nobody_is_there() -> None:
    where = f"127.0.0.1:{free_loopback_port()}"
    for address in (where, f"http://{where}"):
        with Client(address, timeout_s=5) as client:
            for call in (client.models, lambda: list(client.stream(VIDEO)), lambda: client.classify(VIDEO)):
                with pytest.raises(Unreachable, match=r"make serve.*DEEPHAR_ADDRESS"):
                    call()


def test_a_stream_outlives_its_gateway(service: ServiceProcess, frames: list[Frame]) -> None:
    """Two gateways share a Triton. The one of the stream is stopped as a rolling update does it; another comes."""
    with running_service(triton_url=service.triton_address()) as old, faulty_proxy(old.grpc_address) as line:
        with Client(line.address) as client:
            undisturbed = list(client.stream(frames, people="all"))
            events: list[Event] = []
            for event in client.stream(slowly(frames), people="all"):
                events.append(event)
                if sum(isinstance(event, ActionEvent) for event in events) == 2 and old.process.poll() is None:
                    line.lead_to(service.grpc_address)
                    old.process.terminate()
        assert wait_for(lambda: old.process.poll() is not None, 30)
    same_story(events, undisturbed)


def slowly(frames: list[Frame]) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        time.sleep(0.04)
