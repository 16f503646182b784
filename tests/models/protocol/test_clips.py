from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.protocol.clips import multi_clip, random_clip, single_clip

GOLDEN = json.loads((Path(__file__).parent.parent.parent / "golden" / "functions" / "clips.json").read_text())
frames, clips, subsamplings = st.integers(1, 2000), st.integers(1, 40), st.integers(1, 12)


def arguments(case: dict[str, Any]) -> tuple[int, int, int]:
    return case["frames"], case["clip"], case["subsampling"]


def test_single_clips_are_those_of_the_original() -> None:
    assert len(GOLDEN["single_clip"]) > 50
    for case in GOLDEN["single_clip"]:
        assert single_clip(*arguments(case)) == case["index"], case


def test_multi_clips_are_those_of_the_original() -> None:
    assert len(GOLDEN["multi_clip"]) > 50
    for case in GOLDEN["multi_clip"]:
        found = multi_clip(*arguments(case))
        assert [clip[0] for clip in found] == case["starts"], case
        for indices in found:
            assert indices == [indices[0] + case["subsampling"] * i for i in range(case["clip"])]


@given(frames, clips, subsamplings)
def test_a_single_clip_is_whole_ordered_and_in_range(frames: int, clip: int, subsampling: int) -> None:
    found = single_clip(frames, clip, subsampling)
    assert len(found) == clip
    assert found == sorted(found)
    assert found[0] >= 0
    assert found[-1] < frames


@given(frames, clips, subsamplings)
def test_a_long_sequence_is_sampled_evenly_in_its_middle(frames: int, clip: int, subsampling: int) -> None:
    found = single_clip(frames * clip, clip, subsampling)
    steps = {after - before for before, after in pairwise(found)}
    assert steps <= {min(subsampling, frames)}
    assert abs(found[0] - (frames * clip - 1 - found[-1])) <= 1


@given(frames, clips, subsamplings)
def test_multi_clips_lie_in_range_and_miss_only_short_sequences(frames: int, clip: int, subsampling: int) -> None:
    found = multi_clip(frames, clip, subsampling)
    assert bool(found) == (frames >= clip * subsampling)
    assert all(indices[0] >= 0 and indices[-1] < frames and len(indices) == clip for indices in found)
    assert len({indices[0] for indices in found}) == len(found)


@pytest.mark.parametrize("call", [single_clip, multi_clip])
@pytest.mark.parametrize("numbers", [(0, 8, 6), (10, 0, 1), (10, 8, 0)])
def test_numbers_below_one_are_refused(call: Any, numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        call(*numbers)


@given(frames, clips, subsamplings, st.integers(0, 99))
def test_a_random_clip_differs_from_the_single_one_only_by_its_start(
    frames: int, clip: int, subsampling: int, seed: int
) -> None:
    found = random_clip(frames, clip, subsampling, np.random.default_rng(seed))
    middle = single_clip(frames, clip, subsampling)
    assert len(found) == clip
    assert 0 <= found[0] <= found[-1] < frames
    if frames >= clip:
        assert set(np.diff(found)) == set(np.diff(middle))


def test_random_clips_start_anywhere_from_the_first_frame_to_the_last_that_fits() -> None:
    random = np.random.default_rng(3)
    assert {random_clip(20, 8, 2, random)[0] for _ in range(200)} == set(range(6))
