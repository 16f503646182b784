from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.protocol.joints import H36M, MPII, NTU, PA16, PA17, PA20, PENN, flip_indices, indices, mirror_pose, spread

GOLDEN = json.loads((Path(__file__).parent.parent.parent / "golden" / "layouts.json").read_text())
NETWORKS = {"pa16j": PA16, "pa17j": PA17, "pa20j": PA20}
every_network = pytest.mark.parametrize("name", NETWORKS)


def our_name(golden_name: str) -> str:
    ours = {"mid spine": "spine", "upper neck": "neck", "head top": "head"}
    return ours.get(golden_name, golden_name).replace(" ", "_")


@every_network
def test_names_are_those_of_the_original(name: str) -> None:
    assert NETWORKS[name] == tuple(our_name(joint) for joint in GOLDEN[name]["joint_names"])


def test_mpii_order_is_that_of_the_original() -> None:
    assert tuple(our_name(joint) for joint in GOLDEN["mpii_order"]) == MPII


@every_network
def test_flips_are_those_of_the_original(name: str) -> None:
    assert flip_indices(NETWORKS[name]).tolist() == GOLDEN[name]["hflip"]


@pytest.mark.parametrize(
    ("network", "key", "data_set"),
    [
        ("pa16j", "map_from_mpii", MPII),
        ("pa16j", "map_from_ntu", NTU),
        ("pa17j", "map_from_ntu", NTU),
        ("pa20j", "map_from_ntu", NTU),
        ("pa17j", "map_from_h36m", H36M),
        ("pa20j", "map_from_h36m", H36M),
    ],
)
def test_maps_from_data_sets_are_those_of_the_original(network: str, key: str, data_set: tuple[str, ...]) -> None:
    assert indices(data_set, NETWORKS[network]).tolist() == GOLDEN[network][key]


@every_network
@pytest.mark.parametrize(("key", "target"), [("map_to_mpii", MPII), ("map_to_pa13j", PENN), ("map_to_pa16j", PA16)])
def test_maps_to_other_orders_are_those_of_the_original(name: str, key: str, target: tuple[str, ...]) -> None:
    itself = list(range(16))  # the original has no map from pa16j to pa16j
    assert indices(NETWORKS[name], target).tolist() == GOLDEN[name].get(key, itself)


def test_data_sets_have_as_many_joints_as_their_files() -> None:
    assert (len(MPII), len(H36M), len(NTU), len(PENN)) == (16, 32, len(GOLDEN["ntu_joints_in_file_order"]), 13)


def test_ntu_and_only_ntu_has_its_sides_exchanged() -> None:
    """The original's oddity, which the networks have learned."""
    for theirs, ours in zip(GOLDEN["ntu_joints_in_file_order"], NTU, strict=True):
        for side, other in (("left", "right"), ("right", "left")):
            if theirs.startswith(side) and ours != "-":
                assert ours == our_name(theirs).replace(side, other)


@every_network
def test_a_flip_is_an_involution_that_moves_no_middle_joint(name: str) -> None:
    flip = flip_indices(NETWORKS[name])
    assert flip[flip].tolist() == list(range(len(flip)))
    for here, there in enumerate(flip):
        assert (here == there) == (not NETWORKS[name][here].startswith(("left_", "right_")))


@every_network
@given(st.data())
def test_a_pose_mirrored_twice_is_itself(name: str, data: st.DataObject) -> None:
    joints = NETWORKS[name]
    pose = data.draw(arrays(np.float64, (2, len(joints), 3), elements=st.floats(-2, 3)))
    assert mirror_pose(mirror_pose(pose, joints), joints) == pytest.approx(pose, abs=1e-12)


@given(st.permutations(PA17), arrays(np.float64, (17, 2), elements=st.floats(-5, 5)))
def test_orders_are_permutations_with_an_inverse(order: list[str], points: np.ndarray) -> None:
    there, back = indices(PA17, order), indices(order, PA17)
    assert (points[there][back] == points).all()


def test_spread_leaves_unknown_joints_open() -> None:
    points = np.arange(26.0).reshape(13, 2)
    pose = spread(points, PENN, PA16)
    assert np.isnan(pose[:3]).all()
    assert (pose[3:] == points).all()


def test_a_missing_joint_is_named() -> None:
    with pytest.raises(ValueError, match="spine"):
        indices(MPII, PA17)
