from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence

import numpy as np
import pytest

from service.errors import InvalidArgument, InvalidVideo
from service.networks.server import Outputs, Tensors
from service.pipeline.answers import ActionEvent, ClipAnswer, Event, FrameErrorEvent, PoseEvent, SegmentEvent
from service.pipeline.options import StreamOptions, VideoOptions
from service.video.frame import Frame, TrackedBox
from service.video.sampling import Sampler
from service.video.windows import Reason
from service.vision.boxes import Box
from service.vision.crops import Image
from tests.conftest import SAMPLES
from tests.unit.parts import Gateway, with_gateway

PICTURE = np.full((240, 320, 3), 90, np.uint8)
PERSON = (SAMPLES / "person.jpg").read_bytes()


def moving(i: int) -> Image:
    """A picture in which something moves."""
    picture = PICTURE.copy()
    picture[100:140, 10 * (i % 28) : 10 * (i % 28) + 40] = 250
    return picture


def still(_: int) -> Image:
    return PICTURE


class Frames:
    """A `FrameSource` of pictures by their index."""

    def __init__(
        self,
        times_s: Iterable[float],
        dropped: int = 0,
        picture: Callable[[int], Image | bytes] = moving,
        boxes: Sequence[Sequence[tuple[int, Box]]] = (),
    ) -> None:
        self._boxes = [tuple(TrackedBox(*tracked) for tracked in of_frame) for of_frame in boxes]
        self._times_s, self.dropped, self._picture = times_s, dropped, picture
        self.given = 0

    async def frames(self, sampler: Sampler) -> AsyncGenerator[tuple[Frame, int], None]:
        for frame_id, time_s in enumerate(self._times_s):
            self.given += 1
            boxes = self._boxes[frame_id] if self._boxes else ()
            frame = Frame(self._picture(frame_id), frame_id, round(1e9 * time_s), boxes=boxes)
            yield frame, sampler.ticks(frame.time_ns)


def followed(frames: Frames, every_frame: bool = False, **sent: object) -> list[Event]:
    async def work(parts: Gateway) -> list[Event]:
        parts.server.people = 2
        options = StreamOptions.of({"want_keypoints": every_frame, **sent})
        stream = await parts.pipeline.stream(options, frames)
        return [event async for event in stream.events()]

    return with_gateway(work)


def test_only_samples_are_processed_unless_every_frame_is_wanted() -> None:
    times = [i / 30 for i in range(30)]
    assert sum(isinstance(event, PoseEvent) for event in followed(Frames(times))) == 10
    assert sum(isinstance(event, PoseEvent) for event in followed(Frames(times), every_frame=True)) == 30


def test_the_first_action_comes_with_the_sample_that_fills_a_window() -> None:
    actions = [e for e in followed(Frames(i / 10 for i in range(24)), hop=4) if isinstance(e, ActionEvent)]
    assert [event.at.frame_id for event in actions] == [15, 19, 23]
    assert [(event.first_frame_id, round(event.start_s, 3)) for event in actions] == [(0, 0.0), (4, 0.4), (8, 0.8)]
    assert all(event.actions[0].score == pytest.approx(0.8) for event in actions)


def test_events_carry_the_lag_and_the_drops_of_their_frame() -> None:
    events = followed(Frames([0.0, 0.1], dropped=3))
    assert {event.at.dropped_frames for event in events} == {3}
    assert all(0 <= event.at.lag_ms < 1000 for event in events)


def test_everybody_has_an_id_and_a_segment() -> None:
    events = followed(Frames(i / 10 for i in range(20)), people="all")
    poses = [event for event in events if isinstance(event, PoseEvent)]
    assert {person.id for event in poses for person in event.people} == {1, 2}
    segments = [event.segment for event in events if isinstance(event, SegmentEvent)]
    assert {segment.person_id for segment in segments} == {1, 2}
    assert {segment.label for segment in segments} == {"baseball_pitch"}


def test_a_clip_is_summed_up_at_its_end() -> None:
    async def work(parts: Gateway) -> None:
        stream = await parts.pipeline.stream(VideoOptions.of({"top_k": 2}), Frames(i / 10 for i in range(20)))
        events = [event async for event in stream.classified()]
        answer = events[-1]
        assert isinstance(answer, ClipAnswer)
        assert (answer.frames, answer.model.name, len(answer.actions)) == (20, "lite", 2)
        assert [person.person_id for person in answer.people] == [1]

    with_gateway(work)


def test_a_stream_that_is_left_asks_for_no_further_frame() -> None:
    async def work(parts: Gateway) -> None:
        frames = Frames(i / 10 for i in range(1000))
        events = (await parts.pipeline.stream(VideoOptions.of({}), frames)).events()
        await anext(events)
        await events.aclose()
        assert frames.given <= 3  # each of two stages may be one ahead

    with_gateway(work)


def test_what_is_wrong_with_a_video_is_told() -> None:
    with pytest.raises(InvalidVideo):
        followed(Frames([]))
    with pytest.raises(InvalidArgument, match="rise"):
        followed(Frames([0.0, 0.0]))
    for sent in ({"hop": 17}, {"top_k": 16}, {"boxes": [[0, 0, 9, 9]] * 2}, {"layout": "nobody"}):
        with pytest.raises(InvalidArgument):
            followed(Frames([0.0]), **sent)


def summed_up(frames: Frames, people: int = 2, **sent: object) -> ClipAnswer:
    async def work(parts: Gateway) -> ClipAnswer:
        parts.server.people = people
        stream = await parts.pipeline.stream(VideoOptions.of(sent), frames)
        *_, answer = [e async for e in stream.classified()]
        assert isinstance(answer, ClipAnswer)
        return answer

    return with_gateway(work)


@pytest.mark.parametrize(
    ("frames", "people", "reason"),
    [
        (lambda: Frames((i / 10 for i in range(60)), picture=still), 2, Reason.REPEATED_FRAMES),
        (lambda: Frames(i / 1 for i in range(6)), 2, Reason.TOO_SPARSE),
        (lambda: Frames(5.0 * i for i in range(6)), 2, Reason.TOO_SPARSE),
        (lambda: Frames(i / 10 for i in range(11)), 2, Reason.TOO_SHORT),
        (lambda: Frames(i / 10 for i in range(30)), 0, Reason.NOT_SEEN),
        (lambda: Frames(i / 10 for i in range(12)), 2, None),
        (lambda: Frames(i / 5 for i in range(12)), 2, None),
    ],
    ids=["still", "once_a_second", "once_in_5_s", "too_short", "nobody", "three_quarters", "twice_a_sample"],
)
def test_a_video_without_an_action_says_why(frames: Callable[[], Frames], people: int, reason: Reason | None) -> None:
    answer = summed_up(frames(), people)
    assert answer.reason == reason
    assert (answer.actions == []) == (reason is not None)
    assert (answer.segments == []) == (reason is not None)
    assert len(answer.people) == min(people, 1)
    assert all(person.reason == reason for person in answer.people)


@pytest.mark.parametrize("back_at", [None, 14])
def test_a_visit_is_judged_by_its_own_frames(back_at: int | None) -> None:
    """Who has gone for good was there for too short, and is not a person who was hardly seen."""

    async def work(parts: Gateway) -> ClipAnswer:
        def visited(i: int) -> Image:
            parts.server.people = 2 if i < 8 or (back_at is not None and i >= back_at) else 0
            return moving(i)

        frames = Frames((i / 10 for i in range(40)), picture=visited)
        stream = await parts.pipeline.stream(VideoOptions.of({"people": "all"}), frames)
        *_, answer = [e async for e in stream.classified()]
        assert isinstance(answer, ClipAnswer)
        return answer

    answer = with_gateway(work)
    visitors = [person for person in answer.people if person.person_id <= 2]
    assert len(visitors) == 2
    assert {person.reason for person in visitors} == {None if back_at else Reason.TOO_SHORT}


def test_a_cut_begins_new_tracks_and_new_windows() -> None:
    def cut(i: int) -> Image:
        return (
            moving(i)
            if i < 14
            else 255 - np.tile(np.arange(320, dtype=np.uint8)[:, None] // 2, (240, 1, 3)) - moving(i)
        )

    events = followed(Frames((i / 10 for i in range(30)), picture=cut), people="all")
    actions = [event for event in events if isinstance(event, ActionEvent)]
    before, after = ({e.person_id for e in actions if (e.first_frame_id < 14) is first} for first in (True, False))
    assert before == {1, 2}
    assert after == {3, 4}
    for event in actions:
        assert event.first_frame_id >= 14 or event.end_s <= 1.3


def test_a_frame_is_prepared_while_the_one_before_is_in_the_frame_network() -> None:
    calls: list[str] = []

    async def work(parts: Gateway) -> None:
        infer = parts.server.infer

        async def slow(network: str, tensors: Tensors, version: str = "") -> Outputs:
            calls.append(f"{network} begins")
            await asyncio.sleep(0.1)
            calls.append(f"{network} ends")
            return await infer(network, tensors)

        parts.server.infer = slow  # type: ignore[method-assign]
        stream = await parts.pipeline.stream(StreamOptions.of({}), Frames(i / 5 for i in range(4)))
        _ = [event async for event in stream.events()]

    with_gateway(work)
    # Each frame needs both networks: the detector sees the next one before the last one's pose is there.
    assert [call for call in calls if call.endswith("begins")].count("person begins") == 4
    for i in range(3):
        places = {call: [at for at, name in enumerate(calls) if name == call] for call in calls}
        assert places["person begins"][i + 1] < places["lite_frame ends"][i]
        assert places["person ends"][i] < places["lite_frame begins"][i]


def test_boxes_with_frames_are_followed_with_the_callers_ids() -> None:
    box = Box(50, 50, 60, 120)
    given = [((7, box),), ((9, box), (7, box)), (), *[((9, box),)] * 30]
    times_s = (i / 10 for i in range(len(given)))
    events = followed(Frames(times_s, boxes=given), people="boxes")
    poses = [event for event in events if isinstance(event, PoseEvent)]
    assert [[person.id for person in event.people] for event in poses[:4]] == [[7], [9, 7], [], [9]]
    ended = [event.person_id for event in events if isinstance(event, ActionEvent) and event.reason]
    assert ended == [7]  # seen twice, and gone for 2 s


@pytest.mark.parametrize(
    ("boxes", "people", "text"),
    [
        ([((1, Box(0, 0, 9, 9)),)], "main", "follow boxes"),
        ([((1, Box(0, 0, 9, 9)), (1, Box(0, 0, 9, 9)))], "boxes", "same id"),
        ([((1, Box(500, 0, 9, 9)),)], "boxes", "outside"),
        ([tuple((i, Box(0, 0, 9, 9)) for i in range(65))], "boxes", "at most 64"),
    ],
)
def test_boxes_that_do_not_fit_the_stream_are_told(
    boxes: list[tuple[tuple[int, Box], ...]], people: str, text: str
) -> None:
    with pytest.raises(InvalidArgument, match=text):
        followed(Frames([0.0], boxes=boxes), people=people)


def test_frames_that_cannot_be_decoded_leave_their_ticks_empty() -> None:
    """A window of 16 ticks spans 1.5 s, whatever was damaged."""

    def picture(i: int) -> Image | bytes:
        return b"damaged" if i % 4 == 3 else moving(i)

    async def work(parts: Gateway) -> list[Event]:
        frames = Frames((i / 10 for i in range(24)), picture=picture)
        stream = await parts.pipeline.stream(StreamOptions.of({"hop": 4}), frames, is_live=True)
        return [event async for event in stream.events()]

    events = with_gateway(work)
    assert [e.at.frame_id for e in events if isinstance(e, FrameErrorEvent)] == [3, 7, 11, 15, 19, 23]
    spans = [round(e.end_s - e.start_s, 2) for e in events if isinstance(e, ActionEvent)]
    assert spans
    assert all(1.3 <= span <= 1.5 for span in spans)


@pytest.mark.parametrize("size", [float("nan"), float("inf"), 1e300, -5.0])
def test_boxes_of_no_size_are_the_fault_of_their_frame(size: float) -> None:
    async def work(parts: Gateway) -> list[Event]:
        boxes = [((1, Box(10, 10, size, 50)),), ((1, Box(10, 10, 50, 50)),)]
        frames = Frames([0.0, 0.1], picture=lambda _: PERSON, boxes=boxes)
        stream = await parts.pipeline.stream(StreamOptions.of({"people": "boxes"}), frames, is_live=True)
        return [event async for event in stream.events()]

    events = with_gateway(work)
    assert [e.code for e in events if isinstance(e, FrameErrorEvent)] == ["invalid_argument"]
    assert sum(isinstance(e, PoseEvent) for e in events) == 1


def test_the_callers_tracks_are_bounded() -> None:
    count = 200
    boxes = [((i, Box(10, 10, 50, 50)),) for i in range(count)]
    times_s = [i / 1e6 for i in range(count)]

    async def work(parts: Gateway) -> int:
        options = StreamOptions.of({"people": "boxes", "want_keypoints": True, "max_people": 5})
        stream = await parts.pipeline.stream(options, Frames(times_s, boxes=boxes), is_live=True)
        return max([len(stream._tracks) async for _ in stream.events()])

    assert with_gateway(work) <= 6


@pytest.mark.parametrize(("clip_version", "after"), [("2", None), ("1", Reason.MODEL_CHANGED)])
def test_features_of_one_version_are_never_classified_by_another(clip_version: str, after: Reason | None) -> None:
    """Both networks change to version 2 under a stream, or the frame network alone does."""

    async def work(parts: Gateway) -> list[ActionEvent]:
        def changed_at_3_s() -> Iterator[float]:
            for i in range(80):
                if i == 30:
                    parts.server.versions = {"lite_frame": "2", "lite_clip": clip_version}
                yield i / 10

        stream = await parts.pipeline.stream(StreamOptions.of({}), Frames(changed_at_3_s()))
        return [event async for event in stream.events() if isinstance(event, ActionEvent)]

    events = with_gateway(work)
    assert events[0].reason is None
    between = [event.reason for event in events if event.start_s < 2.5 and event.end_s > 3.5]
    assert set(between) == {Reason.MODEL_CHANGED}
    assert {event.reason for event in events if event.start_s > 3.5} == {after}
