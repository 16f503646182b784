from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidArgument
from service.video.sampling import Sampler
from service.video.segments import SegmentMerger
from service.video.windows import Reason, Sample, Window, WindowBuffer
from service.vision.crops import CropWindow


def ns(time_s: float) -> int:
    return round(1e9 * time_s)


def sample(i: int) -> Sample:
    return Sample(i, i * 0.1, np.full(3, i, np.float32), CropWindow(i, 0, 10))


@given(st.sampled_from([10, 12.5, 14.29, 24, 25, 29.97, 30, 33.33, 50, 60, 120]), st.floats(0, 1000))
def test_every_tick_is_counted_once_at_any_frame_rate(fps: float, first_s: float) -> None:
    sampler = Sampler(0.1)
    ticks = [sampler.ticks(ns(first_s + i / fps)) for i in range(100)]
    assert sum(ticks) == pytest.approx(1 + 99 / fps / 0.1, abs=1)
    assert ticks[0] == 1
    if fps >= 10:
        assert max(ticks) <= 2


def test_thirty_frames_a_second_give_every_third() -> None:
    sampler = Sampler(0.1)
    assert [sampler.ticks(ns(i / 30)) for i in range(7)] == [1, 0, 0, 1, 0, 0, 1]


@given(st.integers(1, 16), st.sampled_from([15, 24, 25, 30, 60]), st.floats(0, 100))
def test_time_stamps_in_whole_milliseconds_give_every_nth_frame(nth: int, fps: int, first_s: float) -> None:
    """As WebM has them, for intervals that are no whole milliseconds."""
    sampler = Sampler(nth / fps)
    ticks = [sampler.ticks(ns(round(first_s + i / fps, 3))) for i in range(100)]
    assert ticks == [int(i % nth == 0) for i in range(100)]


def test_a_slow_video_counts_several_ticks_a_frame() -> None:
    sampler = Sampler(0.1)
    assert [sampler.ticks(ns(i / 5)) for i in range(4)] == [1, 2, 2, 2]


def test_time_must_rise() -> None:
    sampler = Sampler(0.1)
    sampler.ticks(10**9)
    with pytest.raises(InvalidArgument, match="rise"):
        sampler.ticks(10**9)


@given(st.integers(1, 16), st.integers(1, 16), st.integers(0, 80))
def test_windows_come_first_when_full_then_each_hop(frames: int, hop: int, count: int) -> None:
    buffer = WindowBuffer(frames, hop)
    windows = [w for i in range(count) for w in buffer.add(sample(i), 1)]
    expected = 0 if count < frames else 1 + (count - frames) // hop
    assert len(windows) == expected == buffer.given
    for n, window in enumerate(windows):
        ids = [s.frame_id for s in window.samples]
        assert ids == list(range(n * hop, n * hop + frames))


def test_missing_ticks_repeat_the_frame_before() -> None:
    buffer = WindowBuffer(4, 1)
    buffer.add(sample(0), 1)
    (window,) = buffer.add(sample(1), 3)
    assert [s.frame_id for s in window.samples] == [0, 0, 0, 1]


def test_a_long_gap_begins_a_new_window() -> None:
    buffer = WindowBuffer(3, 1)
    assert len([w for i in range(3) for w in buffer.add(sample(i), 1)]) == 1
    assert buffer.add(sample(3), 50) == []
    assert buffer.add(sample(4), 1) == []
    (window,) = buffer.add(sample(5), 1)
    assert [s.frame_id for s in window.samples] == [3, 4, 5]


@given(st.integers(12, 15))
def test_a_short_clip_is_stretched_evenly_and_in_order(count: int) -> None:
    buffer = WindowBuffer(16, 4)
    for i in range(count):
        assert buffer.add(sample(i), 1) == []
    window = buffer.last()
    assert window is not None
    assert window.reason is None
    ids = [s.frame_id for s in window.samples]
    assert len(ids) == 16
    assert ids == sorted(ids)
    assert set(ids) == set(range(count))
    assert window.features().shape == (1, 16, 3)
    assert window.crop_boxes().shape == (1, 16, 4)


@pytest.mark.parametrize("count", [1, 11])
def test_less_than_three_quarters_of_a_window_are_too_short(count: int) -> None:
    buffer = WindowBuffer(16, 4)
    for i in range(count):
        buffer.add(sample(i), 1)
    window = buffer.last()
    assert window is not None
    assert window.reason is Reason.TOO_SHORT


def only_window(frames: list[tuple[Sample | None, int, bool]]) -> Window:
    buffer = WindowBuffer(16, 16)
    windows = [window for given in frames for window in buffer.add(*given)]
    last = buffer.last()
    (window,) = windows or ([last] if last else [])
    return window


@pytest.mark.parametrize(("unseen", "reason"), [(4, None), (5, Reason.NOT_SEEN)])
def test_a_window_needs_the_person_in_three_quarters_of_its_frames(unseen: int, reason: Reason | None) -> None:
    gone = range(6, 6 + unseen)
    window = only_window([(None if i in gone else sample(i), 1, False) for i in range(16)])
    assert window.reason == reason
    assert [s.frame_id for s in window.samples] == [5 if i in gone else i for i in range(16)]


@pytest.mark.parametrize(("repeated", "reason"), [(8, None), (9, Reason.REPEATED_FRAMES)])
def test_a_window_of_mostly_repeated_frames_has_no_action(repeated: int, reason: Reason | None) -> None:
    window = only_window([(sample(i), 1, i >= 16 - repeated) for i in range(16)])
    assert window.reason == reason


@pytest.mark.parametrize(("ticks", "reason"), [(2, None), (3, Reason.TOO_SPARSE), (10, Reason.TOO_SPARSE)])
def test_frames_that_are_too_far_from_each_other(ticks: int, reason: Reason | None) -> None:
    window = only_window([(sample(i), ticks if i else 1, False) for i in range(-(-16 // ticks))])
    assert window.reason == reason


def test_frames_further_apart_than_a_window() -> None:
    window = only_window([(sample(i), 50 if i else 1, False) for i in range(4)])
    assert window.reason is Reason.TOO_SPARSE


def test_a_window_begins_with_the_person_and_is_none_while_nobody_is_seen() -> None:
    buffer = WindowBuffer(4, 4)
    assert [window for _ in range(20) for window in buffer.add(None, 1)] == []
    assert buffer.last() is None
    windows = [window for i in range(4) for window in buffer.add(sample(i), 1)]
    assert [[s.frame_id for s in window.samples] for window in windows] == [[0, 1, 2, 3]]
    assert [window for _ in range(20) for window in buffer.add(None, 1)] == []


def test_segments_tile_the_time_and_average_their_scores() -> None:
    merger = SegmentMerger(person_id=3)
    assert merger.add(0.0, 1.5, "squat", 0.5) is None
    assert merger.add(0.4, 1.9, "squat", 0.7) is None
    first = merger.add(0.8, 2.3, "pullup", 0.9)
    last = merger.finish()
    assert first is not None
    assert (first.start_s, first.end_s, first.label) == (0.0, 1.9, "squat")
    assert first.score == pytest.approx(0.6)
    assert last is not None
    assert (last.start_s, last.end_s, last.label) == (1.9, 2.3, "pullup")
    assert last.score == pytest.approx(0.9)
    assert first.person_id == last.person_id == 3
    assert merger.finish() is None


def test_a_window_in_which_the_background_class_wins_belongs_to_no_segment() -> None:
    merger = SegmentMerger(person_id=1)
    assert merger.add(0.0, 1.5, None, 0.1) is None
    assert merger.add(0.4, 1.9, "squat", 0.8) is None
    squat = merger.add(0.8, 2.3, None, 0.1)
    assert squat is not None
    assert (squat.start_s, squat.end_s, squat.label) == (1.5, 1.9, "squat")
    assert merger.finish() is None
