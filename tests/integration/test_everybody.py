"""Several people: in a picture, in a video, over both transports, through the committed detector."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from deephar.v1 import inference_pb2 as pb

from service.testing.running import ServiceProcess
from service.vision.crops import Image
from tests.conftest import SAMPLES
from tests.grpc_calls import GrpcCalls, frames_of

WIDTH = 640  # of the sample picture and of the sample clip


@pytest.fixture(scope="module")
def client(service: ServiceProcess) -> Iterator[GrpcCalls]:
    with GrpcCalls(service.grpc_address) as client:
        yield client


@pytest.fixture(scope="module")
def two_jpeg() -> bytes:
    """The person of the sample picture, and their mirror image to their right."""
    one = cv2.imread(str(SAMPLES / "person.jpg"))
    assert one is not None
    return cv2.imencode(".jpg", np.hstack([one, one[:, ::-1]]))[1].tobytes()


@pytest.fixture(scope="module")
def two_frames() -> list[pb.Frame]:
    """The sample clip beside its mirror image."""
    frames = []
    for frame in frames_of(str(SAMPLES / "jumping_jacks.mp4")):
        one = cv2.imdecode(np.frombuffer(frame.encoded, np.uint8), cv2.IMREAD_COLOR)
        assert one is not None
        both = cv2.imencode(".jpg", np.hstack([one, one[:, ::-1]]))[1].tobytes()
        frames.append(pb.Frame(encoded=both, frame_id=frame.frame_id, timestamp_ns=frame.timestamp_ns))
    return frames


CROSSING_WIDTH = 960
PEOPLE_OF_CLIPS = {  # top, bottom, left, right of the person
    "jumping_jacks_2": (0, 360, 220, 440),
    "squat_1": (0, 360, 130, 400),
    "tennis_serve_2": (90, 330, 270, 430),
}


def crossing(clips: Path, one: str, other: str) -> Iterator[pb.Frame]:
    """Five seconds in which the person of one clip goes to the right, before the person of another, who goes left."""
    front, behind = looped(clips, one), looped(clips, other)
    for i in range(150):
        picture = np.full((360, CROSSING_WIDTH, 3), 90, np.uint8)
        for person, share in ((next(behind), 1 - i / 149), (next(front), i / 149)):
            left = round(share * (CROSSING_WIDTH - person.shape[1]))
            picture[:, left : left + person.shape[1]] = person
        encoded = cv2.imencode(".jpg", picture)[1].tobytes()
        yield pb.Frame(encoded=encoded, frame_id=i, timestamp_ns=i * 1_000_000_000 // 30)


def looped(clips: Path, name: str) -> Iterator[Image]:
    """The person of a clip, forwards and backwards without an end, 360 pixels high."""
    top, bottom, left, right = PEOPLE_OF_CLIPS[name]
    people = []
    for frame in frames_of(str(clips / f"{name}.mp4")):
        picture = cv2.imdecode(np.frombuffer(frame.encoded, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        person = picture[top:bottom, left:right]
        people.append(cv2.resize(person, (person.shape[1] * 360 // person.shape[0], 360)))
    return itertools.cycle(people + people[::-1])


def middle(person: pb.Person) -> float:
    return float(np.mean([k.x for k in person.keypoints]))


def test_everybody_is_answered_best_first(client: GrpcCalls, two_jpeg: bytes) -> None:
    people = client.pose(two_jpeg).people
    assert len(people) == 2
    assert people[0].score >= people[1].score
    left, right = sorted(middle(person) for person in people)
    assert left < WIDTH < right
    assert left + right == pytest.approx(2 * WIDTH, abs=20)  # mirror images


def test_only_as_many_as_asked_for(service: ServiceProcess, two_jpeg: bytes) -> None:
    answer = httpx.post(f"{service.url}/v1/pose?max_people=1", files={"image": two_jpeg}).json()
    assert len(answer["people"]) == 1


def test_depth_comes_lifted_and_says_so(service: ServiceProcess, person_jpeg: bytes) -> None:
    answer = httpx.post(f"{service.url}/v1/pose", files={"image": person_jpeg}).json()
    assert answer["layout"]["units"]["z"] == "mm_from_root"
    (person,) = answer["people"]
    depths = {point["name"]: point["z"] for point in person["keypoints"]}
    assert depths["pelvis"] == 0
    assert 10 < max(abs(z) for z in depths.values()) < 1000
    card = httpx.get(f"{service.url}/v1/models/lite").json()["card"]
    assert card["lift"]["stature_mm"] == 1700
    assert "not a measurement" in card["lift"]["trained_on"]


def test_a_camera_places_lifted_joints(client: GrpcCalls, person_jpeg: bytes) -> None:
    camera = pb.Camera(fx=800, fy=800, cx=320, cy=240, root_depth_mm=[3000])
    (person,) = client.pose(person_jpeg, camera=camera).people
    pelvis = person.keypoints[0]
    assert pelvis.position_mm.z == pytest.approx(3000)
    assert all(k.position_mm.z == pytest.approx(3000 + k.z, abs=0.1) for k in person.keypoints)


def test_the_flip_sees_nearly_the_same(client: GrpcCalls, person_jpeg: bytes) -> None:
    boxes = [(225.0, 70.0, 190.0, 345.0)]
    once, twice = (client.pose(person_jpeg, boxes=boxes, flip=flip).people[0] for flip in (False, True))
    distances = [np.hypot(a.x - b.x, a.y - b.y) for a, b in zip(once.keypoints, twice.keypoints, strict=True)]
    assert 0 < np.median(distances) < 10


def test_the_flip_of_the_mirrored_picture_is_the_mirrored_answer(client: GrpcCalls, two_jpeg: bytes) -> None:
    boxes = [(225.0, 70.0, 190.0, 345.0), (2 * WIDTH - 415.0, 70.0, 190.0, 345.0)]
    one, other = client.pose(two_jpeg, boxes=boxes, flip=True).people
    mirrored = {point.name: 2 * WIDTH - point.x for point in other.keypoints}
    opposite = {"right": "left", "left": "right"}
    for point in one.keypoints:
        side, _, joint = point.name.partition("_")
        twin = f"{opposite[side]}_{joint}" if side in opposite else point.name
        assert point.x == pytest.approx(mirrored[twin], abs=8), point.name


def test_the_main_person_alone_is_followed(client: GrpcCalls, two_frames: list[pb.Frame]) -> None:
    poses = [e.pose for e in client.stream(two_frames) if e.WhichOneof("event") == "pose"]
    assert {person.id for pose in poses for person in pose.people} == {1}
    middles = [middle(person) for pose in poses for person in pose.people]
    assert len({m < WIDTH for m in middles}) == 1, "never jumps to the other"


def test_everybody_is_followed_with_an_id(client: GrpcCalls, two_frames: list[pb.Frame]) -> None:
    events = list(client.stream(two_frames, pb.StreamConfig(following=pb.FOLLOWING_ALL)))
    poses = [e.pose for e in events if e.WhichOneof("event") == "pose"]
    sides: dict[int, set[bool]] = {}
    for pose in poses:
        for person in pose.people:
            sides.setdefault(person.id, set()).add(middle(person) < WIDTH)
    assert all(len(side) == 1 for side in sides.values()), sides
    lasting = [i for i in sides if sum(any(p.id == i for p in pose.people) for pose in poses) > 0.8 * len(poses)]
    assert len(lasting) == 2
    named = {e.action.person_id: e.action.actions[0].label for e in events if e.WhichOneof("event") == "action"}
    assert [named[i] for i in lasting] == ["jumping_jacks"] * 2
    assert set(lasting) <= {e.segment.person_id for e in events if e.WhichOneof("event") == "segment"}


@pytest.mark.parametrize(
    ("one", "other"),
    [("jumping_jacks_2", "squat_1"), ("squat_1", "jumping_jacks_2"), ("jumping_jacks_2", "tennis_serve_2")],
)
def test_two_real_people_who_cross_keep_their_ids(client: GrpcCalls, shared_data: Path, one: str, other: str) -> None:
    """Two clips side by side change places; the one in front hides the other."""
    events = client.stream(crossing(shared_data / "clips", one, other), pb.StreamConfig(following=pb.FOLLOWING_ALL))
    poses = [e.pose.people for e in events if e.WhichOneof("event") == "pose"]
    places = [{person.id: middle(person) for person in people} for people in poses]
    frames = Counter(person_id for people in places for person_id in people)
    assert min(frames.pop(1), frames.pop(2)) > 0.7 * len(places), "but where one is hidden"
    assert frames.total() <= 0.05 * len(places), "nobody else, but for a glimpse"
    assert all((places[0][i] < CROSSING_WIDTH / 2) == (places[-1][i] > CROSSING_WIDTH / 2) for i in (1, 2)), places


def test_the_answer_for_the_clip_names_everybodys_action(client: GrpcCalls, two_frames: list[pb.Frame]) -> None:
    answer = client.classify(two_frames, pb.StreamConfig(following=pb.FOLLOWING_ALL, max_people=2))
    best = {person.person_id: person.actions[0].label for person in answer.people}
    assert list(best.values())[:2] == ["jumping_jacks"] * 2
    assert answer.actions[0].label == "jumping_jacks"


def test_rest_follows_everybody_too(service: ServiceProcess, clip_mp4: bytes) -> None:
    url = f"{service.url}/v1/actions?people=all"
    answer = httpx.post(url, files={"video": clip_mp4}, timeout=60).json()
    assert answer["people"][0]["actions"] == answer["actions"]
    assert {segment["person_id"] for segment in answer["segments"]} <= {p["person_id"] for p in answer["people"]}
    lines = httpx.post(url, files={"video": clip_mp4}, headers={"Accept": "application/x-ndjson"}, timeout=60).text
    events = [json.loads(line) for line in lines.splitlines()]
    assert events[0]["people"][0]["id"] == 1


def test_smoothing_takes_the_jitter_and_can_be_turned_off(client: GrpcCalls, two_frames: list[pb.Frame]) -> None:
    def jitter(smooth: bool) -> float:
        config = pb.StreamConfig(want_keypoints=True, smooth=smooth)
        poses = [e.pose.people[0] for e in client.stream(two_frames, config) if e.WhichOneof("event") == "pose"]
        places = np.array([[[k.x, k.y] for k in person.keypoints] for person in poses])
        return float(np.abs(np.diff(places, n=2, axis=0)).mean())

    assert jitter(smooth=True) < 0.7 * jitter(smooth=False)


@pytest.mark.parametrize(
    "query", ["people=some", "max_people=0", "max_people=500", "smooth=perhaps", "people=all&max_people=x"]
)
def test_wrong_options_of_a_video_are_told(service: ServiceProcess, clip_mp4: bytes, query: str) -> None:
    answer = httpx.post(f"{service.url}/v1/actions?{query}", files={"video": clip_mp4}, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")
    assert query.rpartition("&")[2].partition("=")[0] in answer.json()["detail"]


def test_wrong_options_of_a_picture_are_told(service: ServiceProcess, person_jpeg: bytes) -> None:
    for query in ("flip=2", "max_people=-1", "max_people=65"):
        answer = httpx.post(f"{service.url}/v1/pose?{query}", files={"image": person_jpeg})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument"), query


def test_frames_of_one_person_are_never_two(client: GrpcCalls) -> None:
    frames = frames_of(str(SAMPLES / "jumping_jacks.mp4"))
    events = client.stream(frames, pb.StreamConfig(following=pb.FOLLOWING_ALL))
    counts = [len(e.pose.people) for e in events if e.WhichOneof("event") == "pose"]
    assert all(b <= 1 for b in counts), counts
    assert sum(a != b for a, b in pairwise(counts)) <= 2


def test_a_person_gets_the_same_numbers_alone_and_in_company(client: GrpcCalls, person_jpeg: bytes) -> None:
    """Rows of a batch: a runtime once computed the scores of all but the first wrongly."""
    box = (225.0, 70.0, 190.0, 345.0)
    (alone,) = client.pose(person_jpeg, boxes=[box]).people
    for person in client.pose(person_jpeg, boxes=[box] * 5).people:
        for one, other in zip(alone.keypoints, person.keypoints, strict=True):
            assert (other.x, other.y) == pytest.approx((one.x, one.y), abs=0.05)
            assert other.score == pytest.approx(one.score, abs=2e-3), other.name
            assert other.z == pytest.approx(one.z, abs=2)
