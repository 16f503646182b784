from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidArgument
from service.vision.layouts import LAYOUTS, Layout, convert, layout_named

names = st.sampled_from(sorted(LAYOUTS))
PA16, PA20 = LAYOUTS["pa16"], LAYOUTS["pa20"]


def points_of(layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(len(layout.joints))
    count = len(layout.joints)
    return rng.random((count, 2), np.float32), rng.uniform(0.1, 1, count).astype(np.float32)


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_bones_join_joints_and_nothing_twice(name: str) -> None:
    layout = LAYOUTS[name]
    assert len(set(layout.joints)) == len(layout.joints)
    assert len({frozenset(edge) for edge in layout.edges}) == len(layout.edges)
    assert {i for edge in layout.edges for i in edge} == set(range(len(layout.joints)))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("pa16", 16),
        ("pa17", 17),
        ("pa20", 20),
        ("mpii16", 16),
        ("lsp14", 14),
        ("coco17", 17),
        ("h36m17", 17),
        ("openpose18", 18),
    ],
)
def test_every_published_layout_has_its_joints(name: str, count: int) -> None:
    assert len(layout_named(name).joints) == count


@given(names, names)
def test_shared_joints_keep_their_place_and_score(source_name: str, target_name: str) -> None:
    source, target = LAYOUTS[source_name], LAYOUTS[target_name]
    keypoints, scores = points_of(source)
    points, confidence = convert(keypoints, scores, source, target)
    assert points.shape == (len(target.joints), 2)
    for i, joint in enumerate(target.joints):
        if joint in source.joints:
            j = source.joints.index(joint)
            assert np.array_equal(points[i], keypoints[j])
            assert confidence[i] == scores[j]


def test_mpii_is_a_permutation_of_pa16_and_back() -> None:
    keypoints, scores = points_of(PA16)
    there = convert(keypoints, scores, PA16, LAYOUTS["mpii16"])
    back = convert(*there, LAYOUTS["mpii16"], PA16)
    assert np.array_equal(back[0], keypoints)
    assert np.array_equal(back[1], scores)
    # deephar's own map between the two (golden/layouts.json, map_from_mpii).
    order = [6, 7, 8, 9, 12, 13, 11, 14, 10, 15, 2, 3, 1, 4, 0, 5]
    assert np.array_equal(there[0][order], keypoints)


def test_hands_and_feet_are_left_out_as_by_deephar() -> None:
    """deephar's own maps (golden/layouts.json, map_to_mpii and map_to_pa16j)."""
    keypoints, scores = points_of(PA20)
    to_mpii = [16, 14, 12, 13, 15, 17, 0, 1, 2, 3, 8, 6, 4, 5, 7, 9]
    to_pa16 = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17]
    for name, order in {"mpii16": to_mpii, "pa16": to_pa16}.items():
        points, confidence = convert(keypoints, scores, PA20, LAYOUTS[name])
        assert np.array_equal(points, keypoints[order])
        assert np.array_equal(confidence, scores[order])


def test_sides_are_mirrored_joint_by_joint() -> None:
    """Swapping right and left in the names is deephar's hflip of 20 joints."""
    swapped = [
        PA20.joints.index(j.replace("right", "?").replace("left", "right").replace("?", "left")) for j in PA20.joints
    ]
    assert swapped == [0, 1, 2, 3, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14, 17, 16, 19, 18]


@given(names, names, st.floats(-3, 3))
def test_conversion_is_linear(source_name: str, target_name: str, factor: float) -> None:
    source, target = LAYOUTS[source_name], LAYOUTS[target_name]
    keypoints, scores = points_of(source)
    shifted = keypoints * np.float32(factor) + np.float32(1)
    straight, _ = convert(keypoints, scores, source, target)
    moved, _ = convert(shifted, scores, source, target)
    assert moved == pytest.approx(straight * factor + 1, abs=1e-5, nan_ok=True)


def test_the_spine_lies_between_pelvis_and_thorax() -> None:
    keypoints, scores = points_of(PA16)
    points, confidence = convert(keypoints, scores, PA16, LAYOUTS["h36m17"])
    spine = LAYOUTS["h36m17"].joints.index("spine")
    assert points[spine] == pytest.approx((keypoints[0] + keypoints[1]) / 2)
    assert confidence[spine] == min(scores[0], scores[1])


@pytest.mark.parametrize(
    ("target", "missing"),
    [
        ("coco17", {"nose", "left_eye", "right_eye", "left_ear", "right_ear"}),
        ("pa20", {"right_hand", "left_hand", "right_foot", "left_foot"}),
        ("openpose18", {"nose", "left_eye", "right_eye", "left_ear", "right_ear"}),
        ("h36m17", set()),
    ],
)
def test_joints_that_nobody_knows_have_score_zero_and_no_place(target: str, missing: set[str]) -> None:
    points, confidence = convert(*points_of(PA16), PA16, LAYOUTS[target])
    for joint, point, score in zip(LAYOUTS[target].joints, points, confidence, strict=True):
        assert np.isnan(point).all() if joint in missing else np.isfinite(point).all()
        assert (score == 0) == (joint in missing)


def test_unknown_layout_names_the_known_ones() -> None:
    with pytest.raises(InvalidArgument, match="pa16"):
        layout_named("coco99")
