"""Windows are those that the service cuts, and say the same to the clip network as its own features do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.files.folders import repository_folder
from models.lite.layout import INTERVAL_S, NUM_FRAMES, NUM_JOINTS
from models.own_actions.base import clip_network
from models.own_actions.cache import TrackCache
from models.own_actions.tracks import Track
from tests.models.own_actions.made_tracks import track

torch.set_num_threads(1)


def with_times(times: list[float], unseen: tuple[int, ...] = ()) -> Track:
    made = track("wave", 0, len(times))
    person = np.ones(len(times), np.int64)
    person[list(unseen)] = 0
    return Track(np.array(times, np.float32), person, made.joints, made.scores)


@pytest.mark.parametrize(
    ("frames", "windows"), [(40, 7), (20, 2), (19, 1), (16, 1), (15, 1), (12, 1), (11, 0), (1, 0), (0, 0)]
)
def test_windows_are_four_ticks_apart_and_short_ones_are_stretched(frames: int, windows: int) -> None:
    found = with_times([i * INTERVAL_S for i in range(frames)]).windows()
    assert found.shape == (windows, NUM_FRAMES)
    if frames == 12:
        assert found[0].tolist() == [i * 12 // 16 for i in range(16)]


def test_the_frame_before_stands_where_the_person_is_not_seen() -> None:
    (window,) = with_times([i * INTERVAL_S for i in range(16)], unseen=(5, 6)).windows()
    assert window.tolist() == [0, 1, 2, 3, 4, 4, 4, *range(7, 16)]


def test_a_track_begins_with_the_first_frame_that_has_the_person() -> None:
    (window,) = with_times([i * INTERVAL_S for i in range(18)], unseen=(0, 1)).windows()
    assert window.tolist() == [*range(2, 18)]


def test_windows_with_too_few_frames_of_the_person_are_left_out() -> None:
    assert len(with_times([i * INTERVAL_S for i in range(16)], unseen=(3, 5, 7, 9)).windows()) == 1
    assert len(with_times([i * INTERVAL_S for i in range(16)], unseen=(3, 5, 7, 9, 11)).windows()) == 0


def test_a_slow_video_has_its_frames_for_several_ticks() -> None:
    (window,) = with_times([i * 2 * INTERVAL_S for i in range(9)]).windows()
    assert window.tolist() == [i // 2 for i in range(16)]
    assert len(with_times([i * 3 * INTERVAL_S for i in range(9)]).windows()) == 0


def test_another_person_ends_the_track() -> None:
    whole = with_times([i * INTERVAL_S for i in range(40)])
    person = np.where(np.arange(40) < 24, 1, 2)
    found = Track(whole.time_s, person, whole.joints, whole.scores).windows()
    assert found.min() == 0
    assert found.max() == 23


def test_a_part_of_a_video_is_what_lies_between_its_times() -> None:
    part = with_times([i * INTERVAL_S for i in range(40)]).between(1.0, 2.9)
    assert len(part.time_s) == 20
    assert part.time_s[0] == pytest.approx(1.0)


def test_the_clip_network_answers_the_same_for_the_services_features() -> None:
    """The service's crops follow the person; ours stand around the joints. The network puts both into the picture."""
    rng = np.random.default_rng(1)
    made = track("wave", 3)
    windows = made.windows()
    joints = made.joints[windows]  # (W, 16, 13, 2)
    corner = joints.min(2) - rng.uniform(5, 60, (*joints.shape[:2], 2))
    side = (joints.max(2) - corner).max(-1) + rng.uniform(5, 60, joints.shape[:2])
    in_crop = np.zeros((*joints.shape[:2], NUM_JOINTS, 2))
    in_crop[:, :, 3:] = (joints - corner[:, :, None]) / side[:, :, None, None]
    scores = np.full((*joints.shape[:2], NUM_JOINTS), 0.5)
    scores[:, :, 3:] = made.scores[windows]
    features = np.concatenate([in_crop.reshape(*joints.shape[:2], -1), scores], axis=-1).astype(np.float32)
    boxes = np.concatenate([corner, side[..., None], side[..., None]], axis=-1).astype(np.float32)
    network = clip_network(repository_folder())
    with torch.no_grad():
        theirs = network(torch.from_numpy(features), torch.from_numpy(boxes)).numpy()
        ours = network(*map(torch.from_numpy, made.features(windows))).numpy()
    assert np.ptp(theirs) > 3  # logits
    np.testing.assert_allclose(ours, theirs, atol=0.02)


def test_tracks_are_kept_by_content_and_networks(tmp_path: Path) -> None:
    video, copy, other = (tmp_path / name for name in ("a.mp4", "b.mp4", "c.mp4"))
    for file, content in ((video, b"1"), (copy, b"1"), (other, b"2")):
        file.write_bytes(content)
    cache, made = TrackCache(tmp_path / "kept", "sha"), track("kick", 4)
    assert cache.load(video) is None
    cache.keep(video, made)
    kept = cache.load(copy)
    assert kept is not None
    np.testing.assert_array_equal(kept.joints, made.joints)
    assert cache.load(other) is None
    assert TrackCache(tmp_path / "kept", "another").load(video) is None
    (damaged,) = (tmp_path / "kept").iterdir()
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert cache.load(video) is None
